document.addEventListener("DOMContentLoaded", () => {
  // The widget manager asks for formulas in the words of MathJax 2; the book has MathJax 3.
  if (window.MathJax && !window.MathJax.Hub) {
    window.MathJax.Hub = { Queue: (job) => window.MathJax.typesetPromise?.([job[2]]) };
  }
  for (const word of document.querySelectorAll("td strong")) word.dataset.verdict = word.textContent;
  // Output boxes that scroll sideways can be reached by the keyboard.
  for (const box of document.querySelectorAll(".cell_output, .bd-article table, .highlight pre")) {
    if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
  }
});

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

// The search reads whole pages to show a line of each, which a page opened from a folder may not: it gets their texts from
// a script of the build.
const readAnything = window.fetch;
window.fetch = (address, ...rest) => {
  const texts = window.searchTexts ?? {};
  const name = Object.keys(texts).find((page) => String(address).endsWith(page));
  if (!name) return readAnything(address, ...rest);
  return Promise.resolve({ ok: true, text: async () => `<div role="main">${texts[name]}</div>` });
};

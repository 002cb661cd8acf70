// The widget manager looks for its icon fonts where require.js says its modules lie: here, not at a CDN, and not beside
// the page. This file is loaded before require.js, which takes a global object of that name for its settings.
window.require = {
  paths: {
    "@jupyter-widgets/html-manager/dist": new URL("vendor/html-manager", document.currentScript.src).href,
  },
};

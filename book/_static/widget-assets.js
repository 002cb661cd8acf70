// The widget manager takes its icon fonts from here and not from a CDN; loaded before the manager itself.
window.__jupyter_widgets_assets_path__ = new URL("vendor/html-manager/", document.currentScript.src).href;

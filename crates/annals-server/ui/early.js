// Runs before the first paint, so that a dark page does not flash white: everything else about the theme is in core/theme.js.
(function () {
  try {
    var theme = JSON.parse(localStorage.getItem('annals.theme') || '"auto"');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch (error) {
    // Without storage the page follows the system.
  }
})();

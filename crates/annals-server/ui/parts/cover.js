// @ts-check
// A part that covers the rest of its view on narrow screens, as the detail does: what lies below it takes no focus, and the
// header stays in sight.

/** Where the style sheets lay such a part over its view. */
const COVERS = matchMedia('(max-width: 1000px)');

/** Whether the window is so narrow that parts cover their view. */
export function covers() {
  return COVERS.matches;
}

/**
 * Keeps what is around the element, up to <main>, out of reach while it covers it.
 * @param {HTMLElement} element
 * @returns {{update(): void, stop(): void}} update: after the element was shown or hidden
 */
export function cover(element) {
  const update = () => {
    const covered = COVERS.matches && !element.hidden;
    const main = element.closest('main');
    if (!main) return;
    for (let at = element; at !== main && at.parentElement; at = at.parentElement) {
      for (const beside of at.parentElement.children)
        if (beside !== at && beside instanceof HTMLElement) beside.inert = covered;
    }
    element.style.top = covered ? `${main.getBoundingClientRect().top}px` : '';
  };
  addEventListener('resize', update);
  return { update, stop: () => removeEventListener('resize', update) };
}

// @ts-check
// A box that hangs below its button: closes with Esc, with a click elsewhere, and when the focus leaves it. On narrow
// screens it is a sheet at the lower edge.
import { h } from '../core/h.js';

/** @typedef {{close(): void, element: HTMLElement}} Popover */

/** Space left to the edges of the window. */
const MARGIN = 8;
/** @type {Popover | null} */
let open = null;

/**
 * @param {HTMLElement} anchor gets aria-expanded, and the focus back
 * @param {{label: string, body: import('../core/h.js').Children, className?: string, onClose?: () => void}} options
 * @returns {Popover}
 */
export function openPopover(anchor, options) {
  open?.close();
  const element = h(
    'div',
    { class: ['popover', options.className], role: 'dialog', 'aria-label': options.label, tabindex: -1 },
    options.body,
  );
  const close = () => {
    if (open !== popover) return;
    open = null;
    const inside = element.contains(document.activeElement);
    removeEventListener('resize', place);
    document.removeEventListener('pointerdown', outside, true);
    element.remove();
    anchor.setAttribute('aria-expanded', 'false');
    options.onClose?.();
    if (inside && anchor.isConnected) anchor.focus();
  };
  const outside = (/** @type {Event} */ event) => {
    const target = /** @type {Node} */ (event.target);
    if (!element.contains(target) && !anchor.contains(target)) close();
  };
  const place = () => placeBelow(anchor, element);
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    close();
  });
  element.addEventListener('focusout', (event) => {
    const to = /** @type {Node | null} */ (event.relatedTarget);
    if (to && !element.contains(to) && !anchor.contains(to)) close();
  });
  const popover = { close, element };
  open = popover;
  document.body.append(element);
  anchor.setAttribute('aria-expanded', 'true');
  place();
  addEventListener('resize', place);
  document.addEventListener('pointerdown', outside, true);
  const first = /** @type {HTMLElement | null} */ (
    element.querySelector('[data-focus]') ??
      element.querySelector('[aria-pressed="true"]') ??
      element.querySelector('input:enabled, select, button')
  );
  (first ?? element).focus();
  return popover;
}

/** Closes what is open, as when its view goes. */
export function closePopover() {
  open?.close();
}

/** @param {HTMLElement} anchor @param {HTMLElement} element */
function placeBelow(anchor, element) {
  if (innerWidth <= 720) {
    element.style.left = '';
    element.style.top = '';
    return;
  }
  const at = anchor.getBoundingClientRect();
  const box = element.getBoundingClientRect();
  const left = Math.max(MARGIN, Math.min(at.left, innerWidth - box.width - MARGIN));
  const below = at.bottom + 6;
  const top =
    below + box.height > innerHeight - MARGIN
      ? Math.max(MARGIN, Math.min(below, innerHeight - MARGIN - box.height))
      : below;
  element.style.left = `${left}px`;
  element.style.top = `${top}px`;
}

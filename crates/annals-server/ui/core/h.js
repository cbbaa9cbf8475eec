// @ts-check
// Builds elements. The only way this page makes DOM: text goes in as text, so an event's content is never markup.

/** @typedef {string | number | Node | null | undefined | false} Child */
/** @typedef {Child | Children[]} Children */
/** @typedef {Record<string, unknown>} Props */

const SVG = 'http://www.w3.org/2000/svg';
/** Attributes that could turn text into code or that the page's policy forbids. */
const REFUSED = new Set(['style', 'srcdoc', 'innerhtml', 'outerhtml']);

/**
 * An HTML element. `on` is an object of listeners, `dataset` one of data attributes, `class` may be a list with gaps;
 * true is an empty attribute; false, null and undefined are none.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...Children} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  if (props) setProps(element, props);
  append(element, children);
  return element;
}

/**
 * An SVG element, by the same rules.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...Children} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function s(tag, props, ...children) {
  const element = /** @type {SVGElementTagNameMap[K]} */ (document.createElementNS(SVG, tag));
  if (props) setProps(element, props);
  append(element, children);
  return element;
}

/**
 * Replaces what an element holds.
 * @param {Element} element
 * @param {...Children} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * @param {Element} element
 * @param {Props} props
 */
export function setProps(element, props) {
  for (const [name, value] of Object.entries(props)) setProp(element, name, value);
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {unknown} value
 */
function setProp(element, name, value) {
  if (name === 'on') {
    for (const [event, listener] of Object.entries(/** @type {Record<string, EventListener>} */ (value))) {
      element.addEventListener(event, listener);
    }
    return;
  }
  if (name === 'dataset') {
    Object.assign(/** @type {HTMLElement} */ (element).dataset, value);
    return;
  }
  if (name.startsWith('on') || REFUSED.has(name.toLowerCase())) throw new Error(`h(): ${name} is not allowed`);
  if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
    if (name === 'disabled' || name === 'checked') /** @type {any} */ (element)[name] = false;
    return;
  }
  if (name === 'class') {
    element.setAttribute('class', Array.isArray(value) ? value.filter(Boolean).join(' ') : String(value));
  } else if (name === 'value' || name === 'checked' || name === 'selected') {
    /** @type {any} */ (element)[name] = value;
  } else if (name === 'href' || name === 'src') {
    element.setAttribute(name, ownAddress(String(value)));
  } else {
    element.setAttribute(name, value === true ? '' : String(value));
  }
}

/**
 * An address within this server; text from an event can never become a link to elsewhere.
 * @param {string} address
 */
function ownAddress(address) {
  const url = new URL(address, document.baseURI);
  if (url.protocol === 'blob:' || url.origin === location.origin) return address;
  throw new Error('h(): an address of another host');
}

/**
 * @param {Element} element
 * @param {Children[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined && child !== false) element.append(String(child));
  }
}

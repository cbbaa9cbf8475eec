// @ts-check
// Reads server-sent events from the body of a fetch. The browser's own EventSource cannot send a key.

/** `id` is the position after this message, or empty; `name` is empty for an event. @typedef {{id: string, name: string, data: string}} Message */

/**
 * Takes the text of a stream, in pieces that may end anywhere, and calls back for each message. A message without data only
 * moves the position.
 * @param {(message: Message) => void} onMessage
 * @returns {(text: string) => void}
 */
export function parser(onMessage) {
  /** What came of a line so far: pieces, since a line may have megabytes and joining them each time would copy them each time. @type {string[]} */
  let begun = [];
  let id = '';
  let name = '';
  /** @type {string[]} */
  let data = [];
  const take = (/** @type {string} */ text) => {
    if (text === '') {
      onMessage({ id, name, data: data.join('\n') });
      name = '';
      data = [];
      return;
    }
    const [field, value] = fieldOf(text);
    if (field === 'data') data.push(value);
    else if (field === 'event') name = value;
    else if (field === 'id') id = value;
  };
  return (text) => {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      begun.push(text.slice(start, end));
      const whole = begun.length === 1 ? (begun[0] ?? '') : begun.join('');
      begun = [];
      take(whole.endsWith('\r') ? whole.slice(0, -1) : whole);
      start = end + 1;
    }
    if (start < text.length) begun.push(text.slice(start));
  };
}

/** Comments have an empty field, which nothing is called. @param {string} text @returns {[string, string]} */
function fieldOf(text) {
  const colon = text.indexOf(':');
  if (colon < 0) return [text, ''];
  const value = text.slice(colon + 1);
  return [text.slice(0, colon), value.startsWith(' ') ? value.slice(1) : value];
}

/**
 * Reads a body to its end. `onLife` is called for each piece, so that the caller can tell silence from a dead connection.
 * @param {Response} response
 * @param {(message: Message) => void} onMessage
 * @param {() => void} onLife
 */
export async function readMessages(response, onMessage, onLife) {
  if (!response.body) return;
  const take = parser(onMessage);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onLife();
    take(value);
  }
}

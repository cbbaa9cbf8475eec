// @ts-check
// Copying. Browsers give the clipboard to secure pages only; elsewhere the text is shown, ready to be copied by hand.
import { openDialog } from './dialog.js';
import { h } from './h.js';
import { toast } from './toast.js';

/**
 * @param {string} text
 * @param {string} what "The link": begins the sentence that says so
 */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} is in the clipboard.`);
  } catch {
    const area = h('textarea', { class: 'textarea mono', rows: 8, readonly: true, 'aria-label': what, value: text });
    openDialog({
      title: 'Copy this',
      wide: true,
      body: [
        h(
          'p',
          { class: 'quiet' },
          'This browser gives the clipboard only to pages that come by HTTPS or from this machine.',
        ),
        area,
      ],
    });
    area.select();
  }
}

/**
 * A curl line for a route. The key stays out of it.
 * @param {URL} url
 * @param {string} [method]
 */
export function curlLine(url, method = 'GET') {
  const quoted = url.href.replaceAll("'", '%27');
  return `curl -sS${method === 'GET' ? '' : ` -X ${method}`} -H "Authorization: Bearer $ANNALS_KEY" '${quoted}'`;
}

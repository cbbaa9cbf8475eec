// @ts-check
// The client of the native API: the only file that calls fetch. Everything the page does, a script can do the same way.
import { endSession, key } from './session.js';
import { reportGap } from './notices.js';

/** The API beside this page, also below a prefix of a proxy. */
export const API = new URL('../annals/v1/', document.baseURI);

/** @typedef {'unauthorized' | 'forbidden' | 'limited' | 'unavailable' | 'lost' | 'invalid' | 'missing' | 'conflict' | 'failed'} Kind */

/** What a caller can do about a failure is its `kind`; `message` is the server's sentence. */
export class ApiError extends Error {
  /**
   * @param {Kind} kind
   * @param {string} message
   * @param {{status?: number, code?: string, requestId?: string, retryAfterS?: number}} [more]
   */
  constructor(kind, message, more = {}) {
    super(message);
    this.kind = kind;
    this.status = more.status ?? 0;
    this.code = more.code ?? '';
    this.requestId = more.requestId ?? '';
    /** Seconds the server asks to wait, or null. */
    this.retryAfterS = more.retryAfterS ?? null;
  }
}

/** Whether an exception only says that a newer request took over. @param {unknown} error */
export function isAbort(error) {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** @typedef {URLSearchParams | string[][] | Record<string, string>} Query */
/** `body` is sent as JSON, URLSearchParams as a form. @typedef {{query?: Query, body?: unknown, signal?: AbortSignal, headers?: Record<string, string>, withKey?: string, quiet?: boolean}} Options */

/**
 * The address of a route.
 * @param {string} path below /annals/v1/, such as `events/17`
 * @param {Query} [query]
 */
export function apiUrl(path, query) {
  const url = new URL(path, API);
  if (query) url.search = new URLSearchParams(query).toString();
  return url;
}

/**
 * One request; throws ApiError, or AbortError once `signal` fires. A 401 ends the session unless `withKey` is tried.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>}
 */
export async function send(method, path, options = {}) {
  const headers = new Headers(options.headers);
  const used = options.withKey ?? key();
  if (used) headers.set('authorization', `Bearer ${used}`);
  const { body: sent } = options;
  const payload = sent === undefined || sent instanceof URLSearchParams ? sent : JSON.stringify(sent);
  if (typeof payload === 'string') headers.set('content-type', 'application/json');
  /** @type {Response} */
  let response;
  try {
    response = await fetch(apiUrl(path, options.query), {
      method,
      headers,
      body: payload,
      signal: options.signal,
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError('lost', 'The server cannot be reached.');
  }
  reportGap(response.headers.get('annals-gap'));
  if (response.ok) return response;
  const error = await refusal(response);
  if (error.kind === 'unauthorized' && options.withKey === undefined && used === key()) endSession(error.message);
  throw error;
}

/**
 * A request that answers JSON.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function call(method, path, options) {
  const response = await send(method, path, options);
  return parsed(response);
}

/**
 * A token of a user, which stands for a key until it expires. The route is not one of the native API's.
 * @param {string} username
 * @param {string} password
 * @returns {Promise<string>}
 */
export async function tokenFor(username, password) {
  const answer = await call('POST', '../../v1/auth/token', {
    body: new URLSearchParams({ grant_type: 'password', username, password }),
  });
  return answer.access_token;
}

/**
 * @param {string} path
 * @param {Query} [query]
 * @param {AbortSignal} [signal]
 */
export function get(path, query, signal) {
  return call('GET', path, { query, signal });
}

/**
 * The text as the server sent it, for numbers that JSON.parse would round.
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export async function getText(path, signal) {
  const response = await send('GET', path, { signal });
  return body(response);
}

/** @param {Response} response */
async function parsed(response) {
  const text = await body(response);
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    throw new ApiError('failed', 'The answer is not what this page expects; is something between it and the server?', {
      status: response.status,
    });
  }
}

/** @param {Response} response */
async function body(response) {
  try {
    return await response.text();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError('lost', 'The connection broke off within an answer.');
  }
}

/** @type {Record<number, Kind>} */
const KINDS = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'missing',
  409: 'conflict',
  413: 'invalid',
  414: 'invalid',
  429: 'limited',
  502: 'lost',
  503: 'unavailable',
  504: 'lost',
};

/** @param {Response} response */
async function refusal(response) {
  /** @type {{error?: {code?: string, message?: string, request_id?: string}}} */
  let sent = {};
  try {
    sent = JSON.parse(await body(response)) ?? {};
  } catch {
    // A proxy's page: the status says what there is to say.
  }
  const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  return new ApiError(
    KINDS[response.status] ?? 'failed',
    sent.error?.message ?? `The server answered ${response.status}.`,
    {
      status: response.status,
      code: sent.error?.code,
      requestId: sent.error?.request_id ?? response.headers.get('x-request-id') ?? '',
      retryAfterS: Number.isFinite(wait) ? wait : undefined,
    },
  );
}

/**
 * Keeps one request of a kind alive: each `start()` aborts what the one before is still asking for.
 * @returns {{start(): AbortSignal, stop(): void}}
 */
export function latest() {
  let controller = new AbortController();
  return {
    start() {
      controller.abort();
      controller = new AbortController();
      return controller.signal;
    },
    stop() {
      controller.abort();
    },
  };
}

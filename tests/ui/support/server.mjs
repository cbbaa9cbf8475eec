// The server under test: the shared one with many events that run.sh started, and small ones of a test's own.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ADMIN = process.env.UI_ADMIN_KEY ?? 'the-administrators-key';
const BINARY = process.env.ANNALS_BIN ?? '';
/** How long a server may take to be there: it recovers first. */
const START_MS = 60_000;

/** A server as a program calls it, with any key. */
export class Server {
  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }

  /** @param {string} method @param {string} path @param {{key?: string, body?: unknown, lines?: string}} [options] */
  async send(method, path, { key = ADMIN, body, lines } = {}) {
    const headers = { authorization: `Bearer ${key}`, 'content-type': lines === undefined ? 'application/json' : 'application/x-ndjson' };
    return fetch(new URL(`/annals/v1/${path}`, this.url), { method, headers, body: lines ?? (body === undefined ? undefined : JSON.stringify(body)) });
  }

  /** The answer as JSON; anything but success fails the test. */
  async call(method, path, options) {
    const response = await this.send(method, path, options);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  get(path, options) {
    return this.call('GET', path, options);
  }

  /** Stores events, all of them. @param {Record<string, unknown>[]} events */
  async store(events) {
    const lines = events.map((event) => JSON.stringify(event)).join('\n');
    const { accepted } = await this.call('POST', 'events', { lines });
    if (accepted !== events.length) throw new Error(`${accepted} of ${events.length} events were stored`);
  }

  async total(query = '') {
    return (await this.get(`stats${query && `?${query}`}`)).total;
  }

  /** Makes a key and gives it with its id. @param {string[]} scopes @param {Record<string, unknown>} [more] */
  async key(scopes, more = {}) {
    return this.call('POST', 'keys', { body: { name: `tests, ${scopes.join(' ')}`, scopes, ...more } });
  }
}

/** The one with many events. */
export function shared() {
  if (!process.env.UI_URL) throw new Error('UI_URL is not set: these tests are run by tests/ui/run.sh');
  return new Server(process.env.UI_URL);
}

/** A server of its own over an empty store, with settings as environment variables; `stop` ends it and its store. */
export async function startServer(settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'annals-ui-'));
  const server = new OwnServer(folder, settings);
  await server.start();
  return server;
}

class OwnServer extends Server {
  constructor(folder, settings) {
    super('');
    this.folder = folder;
    this.settings = settings;
    this.port = '0';
  }

  /** Starts it, after a stop on the same port. */
  async start() {
    const env = { ...process.env, ANNALS_ADMIN_KEY: ADMIN, ANNALS_LOG_SIZE: '16MiB', ...this.settings };
    const args = ['serve', '--data', join(this.folder, 'store'), '--listen', `127.0.0.1:${this.port}`];
    this.process = spawn(BINARY, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    this.url = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.process.kill('SIGKILL');
        reject(new Error(`no server after ${START_MS} ms: ${said}`));
      }, START_MS);
      const listen = (data) => {
        said += data;
        const found = /listens on (http:\/\/[0-9.:]+),/.exec(said);
        if (found) {
          clearTimeout(timer);
          resolve(found[1]);
        }
      };
      this.process.stdout.on('data', listen);
      this.process.stderr.on('data', listen);
      this.process.on('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`the server ended with ${code}: ${said}`));
      });
    });
    this.port = new URL(this.url).port;
  }

  /** Ends the process; `start` begins again over the same store. */
  async halt() {
    const ended = new Promise((resolve) => this.process.on('exit', resolve));
    this.process.kill('SIGTERM');
    await ended;
  }

  async stop() {
    await this.halt();
    await rm(this.folder, { recursive: true, force: true });
  }
}

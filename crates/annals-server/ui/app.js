// @ts-check
// The start: who is this, then the shell.
import { ApiError } from './core/api.js';
import { h } from './core/h.js';
import { showFailure, noticeBars, clearFailure } from './core/notices.js';
import { endSession, rememberedKey, startSession } from './core/session.js';
import { startShell } from './core/shell.js';
import { askWho } from './core/sign-in.js';
import { toast } from './core/toast.js';

const root = document.getElementById('app') ?? document.body.appendChild(h('div'));

async function start() {
  const key = rememberedKey();
  if (key !== null) {
    try {
      startSession(key, await askWho(key), true);
      clearFailure();
    } catch (error) {
      // A server that is away for the moment is no reason to throw a key away.
      if (error instanceof ApiError && error.kind !== 'unauthorized' && error.kind !== 'forbidden') {
        root.replaceChildren(...noticeBars());
        showFailure(error, () => void start());
        return;
      }
      endSession();
    }
  }
  startShell(root);
}

// A mistake of this page is said and not swallowed; what it was is in the browser's console.
for (const kind of ['error', 'unhandledrejection']) {
  addEventListener(kind, () => toast('Something went wrong in this page. Reload it if it does not go on.', 'error'));
}

void start();

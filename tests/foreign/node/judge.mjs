// What every Node script shares: the world under test, and the form in which checks report.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";

const deadlineMs = 150_000;
const eventMs = 15_000;

export const world = JSON.parse(readFileSync(process.env.DRAGOMAN_FOREIGN, "utf8"));
// The clients are installed outside the source tree.
const clients = createRequire(`${process.env.DRAGOMAN_NODE_CLIENTS}/package.json`);
export const load = (name) => clients(name);

let failed = 0;
setTimeout(() => process.exit(2), deadlineMs).unref();

/** Reports `name` as passed unless the body throws. */
export async function check(name, body) {
  let detail = "";
  let ok = true;
  try {
    await body();
  } catch (error) {
    ok = false;
    failed += 1;
    detail = `${error.name}: ${error.message}`.slice(0, 800);
  }
  console.log(JSON.stringify({ check: name, ok, detail }));
}

/** Throws unless both are equal; the order of an object's members does not count. */
export function same(found, wanted) {
  if (!isDeepStrictEqual(found, wanted)) {
    throw new Error(`wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`);
  }
}

/** Throws unless the condition holds. */
export function holds(condition, what) {
  if (!condition) throw new Error(what);
}

/** Calls, and returns the error that has to come. */
export async function refused(call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    return error;
  }
  throw new Error(`was not refused: ${JSON.stringify(answer)}`);
}

/** Waits until `condition()` is true, and returns its value. */
export async function waitFor(what, condition, ms = eventMs) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    const value = await condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`did not come within ${ms} ms: ${what}`);
}

/** Ends the script with 1 when a check failed. */
export function finish() {
  process.exit(failed ? 1 : 0);
}

// node run.mjs SCENARIO '{"url":…,"pictures":…,"name":…}': one line of JSON, {"faults":[…],"notes":[…],"looked":n} and what the scenario adds.

import * as scenarios from './scenarios.mjs';

/** So many say enough. */
const FAULTS_MAX = 60;

class Verdict {
  #faults = [];
  #notes = [];
  #looked = 0;
  shown = {};

  fault(text) {
    this.#faults.push(text);
  }

  faults(where, texts) {
    for (const text of texts) this.fault(`${where}: ${text}`);
  }

  /** What a person may want to look at. */
  note(text) {
    this.#notes.push(text);
  }

  /** So many things were looked at: a scenario that looks at nothing must not pass. */
  looked(number) {
    this.#looked += number;
  }

  toJSON() {
    return { faults: this.#faults.slice(0, FAULTS_MAX), notes: this.#notes, looked: this.#looked, ...this.shown };
  }
}

const [scenario, options] = process.argv.slice(2);
const verdict = new Verdict();
await scenarios[scenario](JSON.parse(options), verdict);
process.stdout.write(`${JSON.stringify(verdict)}\n`);

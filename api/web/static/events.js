// SPDX-License-Identifier: Apache-2.0
// What happens to a job, from its beginning to its end: by a stream of events, and where that does
// not get through (some proxies hold streams back) by asking again and again.

import { ask } from "/static/server.js";

const POLL_MILLISECONDS = 1000;
const PATIENCE_MILLISECONDS = 4000;
const TYPES = ["state", "attempt", "progress"];

// Calls `tell(type, data)` for each event, and `ended()` after the last.
export function follow(job, tell, ended) {
  let number = 0;
  let isOver = false;
  const take = (event) => {
    if (event.number <= number) return;
    number = event.number;
    tell(event.type, event.data, event.at);
  };
  const end = () => {
    if (isOver) return;
    isOver = true;
    ended();
  };

  if (typeof EventSource === "undefined") {
    poll();
    return;
  }
  const source = new EventSource(`/v1/jobs/${job}/events`);
  // A stream that stays silent from the start is taken for one that does not get through.
  let patience = setTimeout(giveUp, PATIENCE_MILLISECONDS);
  for (const type of TYPES) {
    source.addEventListener(type, (message) => {
      clearTimeout(patience);
      take(JSON.parse(message.data));
    });
  }
  source.addEventListener("end", () => {
    clearTimeout(patience);
    source.close();
    end();
  });
  source.addEventListener("error", () => {
    // While it is connecting again the browser goes on by itself, from the last event.
    if (source.readyState === EventSource.CLOSED) giveUp();
  });

  function giveUp() {
    clearTimeout(patience);
    source.close();
    poll();
  }

  async function poll() {
    try {
      const page = await ask("GET", `/v1/jobs/${job}/event-pages?after=${number}&limit=200`);
      page.items.forEach(take);
      if (page.is_finished) {
        end();
        return;
      }
      setTimeout(poll, page.items.length === 200 ? 0 : POLL_MILLISECONDS);
    } catch (problem) {
      if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) return;
      setTimeout(poll, 3 * POLL_MILLISECONDS);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
// Requests to this server, with errors as it tells them.

export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
  }
}

export async function ask(method, place, body) {
  const options = { method, headers: { accept: "application/json" } };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(place, options);
  } catch {
    throw new Problem(0, "No connection", "the server does not answer; is it still running?");
  }
  const text = await answer.text();
  const told = text ? parsed(text) : null;
  if (!answer.ok) throw problemOf(answer.status, answer.statusText, told);
  return told;
}

// Sends a file as it is; `tell` gets the share that has left. (`fetch` does not tell how an upload
// gets on.)
export function upload(folder, file, sha256, tell) {
  const name = encodeURIComponent(file.name.slice(0, 200));
  const place = sha256 ? `/v1/${folder}/${sha256}?name=${name}` : `/v1/${folder}?name=${name}`;
  const request = new XMLHttpRequest();
  const sent = new Promise((resolve, reject) => {
    request.open(sha256 ? "PUT" : "POST", place);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) tell(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      const told = parsed(request.responseText);
      if (request.status < 300) resolve(told);
      else reject(problemOf(request.status, request.statusText, told));
    });
    request.addEventListener("error", () => {
      reject(new Problem(0, "No connection", "the upload broke off; is the server still running?"));
    });
    request.addEventListener("abort", () => reject(new Problem(0, "Removed", "removed")));
    request.send(file);
  });
  return { sent, stop: () => request.abort() };
}

export async function sha256Of(file) {
  // Only where the connection is trusted; elsewhere the server finds the hash.
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function problemOf(status, fallback, told) {
  return new Problem(status, told?.title ?? fallback, told?.detail ?? "");
}

// What a script sends with every write: the token that the page came with. Without accounts there is none, and none is asked for.

export function writeHeaders(headers = {}) {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  return token ? { ...headers, "x-csrf-token": token } : headers;
}

// What a person set on one image and means for the next: kept until the tab is closed.

const NAME = "image-view";

export function keptView() {
  try {
    return JSON.parse(sessionStorage.getItem(NAME)) ?? {};
  } catch {
    return {}; // a browser that keeps nothing, or something else under the name
  }
}

export function keepView(values) {
  try {
    sessionStorage.setItem(NAME, JSON.stringify({ ...keptView(), ...values }));
  } catch {
    // Every image then begins anew.
  }
}

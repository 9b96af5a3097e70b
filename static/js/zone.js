// The server says times in the reader's time zone once it knows it: from the next page on. Until then it says UTC, as such.

const A_YEAR = 365 * 24 * 3600;

export function zone() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const said = document.documentElement.dataset.zone;
  if (!own || own.replaceAll("_", " ") === said) return;
  document.cookie = `zone=${encodeURIComponent(own)}; path=/; max-age=${A_YEAR}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
}

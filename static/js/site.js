// What every page has on top of its forms: theme at once, keys sheet, copy buttons. Without it all of them still work.

import { copyButtons } from "./copy.js";
import { keys } from "./keys.js";
import { preferences } from "./preferences.js";
import { reveal } from "./reveal.js";
import { zone } from "./zone.js";

document.documentElement.dataset.script = "";
preferences(document);
keys();
copyButtons(document);
reveal(document);
zone();

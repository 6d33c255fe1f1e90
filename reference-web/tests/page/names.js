// Says which scenes there are, for the test that shows them all.

import { SCENES } from "./scenes.js";

document.documentElement.dataset.names = Object.keys(SCENES).join(" ");

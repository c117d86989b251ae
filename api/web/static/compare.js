// SPDX-License-Identifier: Apache-2.0
// Two networks compared: the comparison is a job, and the page waits for it.

import "/static/page.js";
import { watch } from "/static/live.js";

watch();

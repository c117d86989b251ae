// SPDX-License-Identifier: Apache-2.0
// A page that shows what is going on.

import "/static/page.js";
import { watch } from "/static/live.js";

watch();

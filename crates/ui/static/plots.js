// Plots. Their data stands in the page, as JSON; their colours are those of the style sheet.
"use strict";

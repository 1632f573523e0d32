/* examples/antrag/service.h: what antrag's handlers share. */
#pragma once
#include "examples/antrag/keysource.h"
#include "examples/antrag/store.h"
#include "examples/httpd.h"
#include "examples/rate.h"

struct antrag {
	struct store *store;
	struct keysource *keys;
	struct rate *writes; /* by subject */
};

extern const struct http_route antrag_routes[];

/* GET /kinds: the table of what can be applied for, as JSON (examples/antrag/catalogue.c). */
http_handler get_kinds;

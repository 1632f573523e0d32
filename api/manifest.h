/* api/manifest.h: objects from manifests: files, directories, standard input; YAML or JSON, many a file. */
#pragma once
#include "api/kinds.h"
#include "base/strv.h"

struct manifest_item {
	struct object *object;
	const json *tree;    /* as written: what the manifest says, without defaults */
	const char *source;  /* "web.yaml:12": where it begins */
};
struct manifest {
	struct manifest_item *items; /* in the order of the files; `kind: List` is taken apart */
	size_t count;
};

#define MANIFEST_ITEMS_MAX 10000

/* Each path: a file, "-", or a directory, whose *.yaml, *.yml and *.json are read in the order of their
 * names. A path without any object is an error. Nothing is returned unless all is right. The first error of
 * each document is told, up to 20, beside each other (err_beside() of base/err.h: one a line). Errors name
 * file, line and field. */
err *manifest_read(struct arena *arena, const struct strv *paths, struct manifest *ret) MUST_CHECK;

/* The same from bytes. */
err *manifest_parse(struct arena *arena, const char *name, const char *text, size_t len, struct manifest *ret) MUST_CHECK;

/* In the order in which they can be made: Namespace, claims, the rest. Stable. */
void manifest_sort(struct manifest *m);

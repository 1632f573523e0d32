/* api/apply.h: what `apply` changes in an object that is there: a patch from three documents.
 *
 * last    what was applied before (the annotation APPLY_LAST of the live object), or NULL
 * wanted  the manifest as written
 * live    the object as the server has it
 *
 * Members that `wanted` has are set to its values; members that `last` had and `wanted` has no more are
 * removed; whatever else `live` has (defaults, what others set) stays, also inside an object that `wanted`
 * has no more. Lists are one value, as in RFC 7386. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

/* The name that kubectl uses, so that either can go on where the other has applied. */
#define APPLY_LAST "kubectl.kubernetes.io/last-applied-configuration"

/* *ret is an empty object when there is nothing to do. */
err *apply_patch(struct arena *arena, const json *last, const json *wanted, const json *live, json **ret) MUST_CHECK;

/* A copy of `wanted` whose annotation APPLY_LAST holds its own text. */
err *apply_annotate(struct arena *arena, const json *wanted, json **ret) MUST_CHECK;

/* What the annotation of a live object says; NULL when it is missing or no JSON. */
const json *apply_last(struct arena *arena, const json *live);

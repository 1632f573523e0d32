/* api/patch.h: the three kinds of patches: JSON merge patch (RFC 7386), JSON Patch (RFC 6902), Kubernetes'
 * strategic merge patch. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

/* *ret: `target` (NULL: absent) with `patch` merged in; shares what did not change with both. Objects that were merged
 * stand at no line. */
err *patch_merge(struct arena *arena, const json *target, const json *patch, json **ret) MUST_CHECK;

/* A list of operations, one after the other, all or none. EBADMSG: it is no such list; EINVAL: it does not
 * fit, or a test fails; EFBIG: too many. */
err *patch_json(struct arena *arena, const json *target, const json *patch, json **ret) MUST_CHECK;

/* A merge patch in which items of containers, env, volumes and others are found by their keys, with its
 * directives ($patch, $setElementOrder, $deleteFromPrimitiveList, $retainKeys). EBADMSG, EINVAL, EFBIG. */
err *patch_strategic(struct arena *arena, const json *target, const json *patch, json **ret) MUST_CHECK;

/* The patch that makes `to` of `from`; an empty object when they are the same. A null in an object of `to` is as
 * absent: merge patches cannot say it. */
err *patch_diff(struct arena *arena, const json *from, const json *to, json **ret) MUST_CHECK;

/* Same content; the order of members does not count, numbers are the same when they are written alike. */
bool json_equal(const json *a, const json *b);

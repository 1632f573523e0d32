/* cmd/stube/progress.h: how far a pull or push is, on standard error.
 *
 * bars   a line for each blob under way, redrawn, on a terminal; finished ones stay above
 * plain  a line when a blob begins or ends, and one every few seconds; for logs
 * json   one object a line: {"blob":"sha256:...","state":"running","done":1,"total":2}
 * none */
#pragma once
#include "base/err.h"
#include "base/macro.h"
#include "images/pull.h"

struct progress;

/* mode: one of the names above, or "auto" (NULL): bars on a terminal, else plain. */
err *progress_new(const char *mode, bool quiet, struct progress **ret) MUST_CHECK;
void progress_free(struct progress *p);
DEFINE_CLEANUP(struct progress *, progress_free)
#define auto_progress CLEANUP(progress_free)

/* What images/ calls. Borrowed. */
const struct image_progress *progress_callbacks(struct progress *p);

/* A line of text between the bars, such as "retrying in 3 s"; from any thread. */
void progress_line(struct progress *p, const char *text);

/* Take the bars away; the finished lines stay. */
void progress_end(struct progress *p);

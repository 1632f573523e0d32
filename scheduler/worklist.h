/* scheduler/worklist.h: what a controller still has to look at: keys, each once, soon or at a time.
 *
 * Controllers decide from the cache as it is, not from what happened; an event only says where to look. A key that is
 * held (writes are on their way whose outcome the cache does not show yet) waits until they are over, so that
 * nothing is done twice. */
#pragma once
#include <stdint.h>
#include "base/err.h"
#include "net/loop.h"

struct worklist;
/* Called for one key at a time, at the end of a turn of the loop. */
typedef void worklist_fn(const char *key, void *user);
err *worklist_new(struct loop *l, worklist_fn *fn, void *user, struct worklist **ret) MUST_CHECK;
/* After the loop's last turn. */
void worklist_free(struct worklist *w);

/* Look at it soon. Aborts without memory. */
void worklist_add(struct worklist *w, const char *key);
/* Look at it then (clock_boot()); the sooner of several times counts. */
void worklist_add_at(struct worklist *w, const char *key, int64_t at);
/* Not before each hold is released; a release looks again. */
void worklist_hold(struct worklist *w, const char *key);
void worklist_release(struct worklist *w, const char *key);
/* It failed: look again later, twice as late each time, from a second to a minute. Returns how often in a row. */
unsigned worklist_failed(struct worklist *w, const char *key);
/* It went well; false: it had not failed. */
bool worklist_went_well(struct worklist *w, const char *key);
unsigned worklist_failures(const struct worklist *w, const char *key);
/* All that is known of it goes; what is held stays until it is released. */
void worklist_forget(struct worklist *w, const char *key);

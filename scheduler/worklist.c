/* scheduler/worklist.c: keys that wait to be looked at, in the order in which they came. */
#include "scheduler/worklist.h"

#include <string.h>

#include "base/clock.h"
#include "scheduler/index.h"

/* In one turn of the loop, so that requests are answered between. */
enum { RUN_MAX = 64 };
#define RETRY_FIRST ((int64_t)NSEC_PER_SEC)
#define RETRY_MAX   (60 * (int64_t)NSEC_PER_SEC)

struct item {
	struct item *next; /* of those that are to be looked at soon */
	bool soon, again;  /* again: when it is released */
	unsigned held, failures;
	int64_t at; /* 0: no time */
	char key[];
};

struct worklist {
	struct loop *loop;
	worklist_fn *fn;
	void *user;
	struct index items;
	struct item *first, **end;
	struct loop_source *timer;
	int64_t timer_at;
};

static struct item *find(const struct worklist *w, const char *key)
{
	return index_get(&w->items, key);
}

static struct item *find_or_make(struct worklist *w, const char *key)
{
	struct item *i = find(w, key);
	size_t size = strlen(key) + 1;

	if (i)
		return i;
	i = calloc(1, sizeof(*i) + size);
	if (!i)
		abort();
	memcpy(i->key, key, size);
	index_put(&w->items, key, i);
	return i;
}

/* An item that says nothing any more is none. */
static void drop_if_idle(struct worklist *w, struct item *i)
{
	if (i->soon || i->again || i->held || i->failures || i->at)
		return;
	index_remove(&w->items, i->key);
	free(i);
}

static void wake(void *user UNUSED)
{
}

static void queue(struct worklist *w, struct item *i)
{
	if (i->held) {
		i->again = true;
		return;
	}
	if (i->soon)
		return;
	if (!w->first)
		loop_post(w->loop, wake, NULL);
	i->soon = true;
	i->next = NULL;
	*w->end = i;
	w->end = &i->next;
}

void worklist_add(struct worklist *w, const char *key)
{
	queue(w, find_or_make(w, key));
}

static void set_timer(struct worklist *w, int64_t at)
{
	if (w->timer_at && w->timer_at <= at)
		return;
	w->timer_at = at;
	IGNORE(loop_timer_set(w->timer, at));
}

void worklist_add_at(struct worklist *w, const char *key, int64_t at)
{
	struct item *i = find_or_make(w, key);

	if (i->at && i->at <= at)
		return;
	i->at = at;
	set_timer(w, at);
}

void worklist_hold(struct worklist *w, const char *key)
{
	find_or_make(w, key)->held++;
}

void worklist_release(struct worklist *w, const char *key)
{
	struct item *i = find(w, key);

	if (!i || --i->held > 0)
		return;
	i->again = false;
	queue(w, i);
}

unsigned worklist_failed(struct worklist *w, const char *key)
{
	struct item *i = find_or_make(w, key);
	int64_t wait = i->failures < 6 ? RETRY_FIRST << i->failures : RETRY_MAX;

	i->failures++;
	worklist_add_at(w, key, clock_boot() + wait);
	return i->failures;
}

bool worklist_went_well(struct worklist *w, const char *key)
{
	struct item *i = find(w, key);
	bool had_failed = i && i->failures;

	if (i) {
		i->failures = 0;
		drop_if_idle(w, i);
	}
	return had_failed;
}

unsigned worklist_failures(const struct worklist *w, const char *key)
{
	const struct item *i = find(w, key);

	return i ? i->failures : 0;
}

void worklist_forget(struct worklist *w, const char *key)
{
	struct item *i = find(w, key);

	if (!i)
		return;
	i->failures = 0;
	i->at = 0;
	drop_if_idle(w, i);
}

struct due {
	struct worklist *w;
	int64_t now, next;
};

static bool look_at_time(void *value, void *user)
{
	struct item *i = value;
	struct due *d = user;

	if (i->at && i->at <= d->now) {
		i->at = 0;
		queue(d->w, i);
	} else if (i->at && (!d->next || i->at < d->next)) {
		d->next = i->at;
	}
	return true;
}

static void on_timer(void *user)
{
	struct worklist *w = user;
	struct due d = { w, clock_boot(), 0 };

	w->timer_at = 0;
	index_each(&w->items, "", NULL, look_at_time, &d);
	if (d.next)
		set_timer(w, d.next);
}

static void run(void *user)
{
	struct worklist *w = user;

	for (int n = 0; n < RUN_MAX && w->first; n++) {
		struct item *i = w->first;
		w->first = i->next;
		if (!w->first)
			w->end = &w->first;
		i->soon = false;
		if (i->held) {
			i->again = true;
			continue;
		}
		/* The key outlives the call, whatever it forgets. */
		i->held++;
		w->fn(i->key, w->user);
		i->held--;
		if (i->again && !i->held) {
			i->again = false;
			queue(w, i);
		}
		drop_if_idle(w, i);
	}
	if (w->first)
		loop_post(w->loop, wake, NULL);
}

err *worklist_new(struct loop *l, worklist_fn *fn, void *user, struct worklist **ret)
{
	struct worklist *w = calloc(1, sizeof(*w));

	if (!w)
		return err_oom();
	*w = (struct worklist){ .loop = l, .fn = fn, .user = user, .end = &w->first };
	err *e = loop_timer(l, 0, on_timer, w, &w->timer);
	if (!e)
		e = loop_after(l, run, w);
	if (e) {
		worklist_free(w);
		return e;
	}
	*ret = w;
	return NULL;
}

static bool free_item(void *value, void *user UNUSED)
{
	free(value);
	return true;
}

void worklist_free(struct worklist *w)
{
	if (!w)
		return;
	loop_source_free(w->timer);
	index_each(&w->items, "", NULL, free_item, NULL);
	index_done(&w->items);
	free(w);
}

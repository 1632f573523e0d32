/* scheduler/store-sqlite-lease.c: leases: rows when they begin and end, all between in memory. */
#include "scheduler/store-sqlite-internal.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

/* They are looked at this often; a gap of several times that says that the whole process stood still. */
#define TICK_MAX (5 * (int64_t)NSEC_PER_SEC)
#define TICK_MIN ((int64_t)(10 * NSEC_PER_MSEC))
enum { TICKS_OF_TTL = 8, STILL_TICKS = 3 };

static struct lease_state *find(struct sqlite_store *s, int64_t id, size_t *ret_place)
{
	size_t low = 0, high = s->leases.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->leases.items[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (ret_place)
		*ret_place = low;
	return low < s->leases.count && s->leases.items[low].id == id ? &s->leases.items[low] : NULL;
}

static void end_lease(struct sqlite_store *s, struct lease_state *l)
{
	struct work *w = calloc(1, sizeof(*w));

	l->ending = true;
	if (!w || l->queued) {
		free(w); /* without memory the next tick tries again */
		return;
	}
	l->queued = true;
	w->kind = WORK_END;
	w->lease = *l;
	sqlite_enqueue(s, w);
}

static void set_timer(struct sqlite_store *s)
{
	int64_t next = 0;

	s->leases.tick = TICK_MAX;
	for (size_t i = 0; i < s->leases.count; i++) {
		const struct lease_state *l = &s->leases.items[i];
		s->leases.tick = MIN(s->leases.tick, MAX(l->ttl / TICKS_OF_TTL, TICK_MIN));
		if (!l->ending && (!next || l->ends < next))
			next = l->ends;
	}
	int64_t look = s->leases.last + s->leases.tick;
	if (!next || next > look)
		next = look;
	IGNORE(loop_timer_set(s->leases.timer, s->leases.count ? next : 0));
}

/* Who could not be heard, since nobody listened, is not lost. */
static void begin_anew(struct sqlite_store *s, int64_t now)
{
	for (size_t i = 0; i < s->leases.count; i++)
		s->leases.items[i].ends = now + s->leases.items[i].ttl;
}

static void on_timer(void *user)
{
	struct sqlite_store *s = user;
	int64_t now = clock_boot();

	if (now - s->leases.last > STILL_TICKS * s->leases.tick)
		begin_anew(s, now);
	s->leases.last = now;
	for (size_t i = 0; i < s->leases.count; i++)
		if (s->leases.items[i].ending || s->leases.items[i].ends <= now)
			end_lease(s, &s->leases.items[i]);
	set_timer(s);
}

static err *add(struct sqlite_store *s, const struct lease_state *lease)
{
	size_t place;

	if (find(s, lease->id, &place))
		return NULL;
	if (s->leases.count == s->leases.cap) {
		size_t cap = s->leases.cap ? s->leases.cap * 2 : 64;
		struct lease_state *items = reallocarray(s->leases.items, cap, sizeof(*items));
		if (!items)
			return err_oom();
		s->leases.items = items;
		s->leases.cap = cap;
	}
	struct lease_state *at = &s->leases.items[place];
	memmove(at + 1, at, (s->leases.count - place) * sizeof(*at));
	s->leases.count++;
	*at = *lease;
	at->ends = clock_boot() + at->ttl;
	return NULL;
}

err *sqlite_leases_load(struct sqlite_store *s)
{
	sqlite3_stmt *statement = NULL;
	err *e = NULL;
	int step = SQLITE_DONE;

	TRY(loop_timer(s->loop, 0, on_timer, s, &s->leases.timer));
	if (sqlite3_prepare_v2(s->db, "SELECT id, ttl FROM leases", -1, &statement, NULL) != SQLITE_OK)
		return sqlite_error(s, "read");
	while (!e && (step = sqlite3_step(statement)) == SQLITE_ROW) {
		struct lease_state l = { .id = sqlite3_column_int64(statement, 0),
					 .ttl = sqlite3_column_int64(statement, 1) };
		e = add(s, &l);
	}
	if (!e && step != SQLITE_DONE)
		e = sqlite_error(s, "read");
	sqlite3_finalize(statement);
	s->leases.last = clock_boot();
	set_timer(s);
	return e;
}

void sqlite_leases_done(struct sqlite_store *s)
{
	loop_source_free(s->leases.timer);
	free(s->leases.items);
}

/* Never one that was there before: who still holds an ended lease must not renew another's. */
static int64_t new_id(struct sqlite_store *s)
{
	int64_t id = 0;

	do {
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			abort();
		id &= INT64_MAX;
	} while (id == 0 || find(s, id, NULL));
	return id;
}

void sqlite_lease_grant(struct store *base, int64_t ttl, store_lease_fn *done, void *user)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	struct work *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->kind = WORK_GRANT;
	w->lease = (struct lease_state){ .id = new_id(s), .ttl = ttl };
	w->lease_done = done;
	w->user = user;
	if (ttl <= 0)
		w->error = err_new(EINVAL, "lease of %lld ns", (long long)ttl);
	sqlite_enqueue(s, w);
}

bool sqlite_lease_holds(struct sqlite_store *s, int64_t id)
{
	const struct lease_state *l = find(s, id, NULL);

	return l && !l->ending;
}

bool sqlite_lease_keep(struct store *base, int64_t id)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	struct lease_state *l = find(s, id, NULL);

	if (!l || l->ending)
		return false;
	l->ends = clock_boot() + l->ttl;
	return true;
}

void sqlite_lease_revoke(struct store *base, int64_t id)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	struct lease_state *l = find(s, id, NULL);

	if (l)
		end_lease(s, l);
}

void sqlite_lease_granted(struct sqlite_store *s, const struct lease_state *lease)
{
	if (!s->leases.count)
		s->leases.last = clock_boot();
	if (add(s, lease))
		abort();
	set_timer(s);
}

void sqlite_lease_ended(struct sqlite_store *s, const struct work *w)
{
	size_t place;
	struct lease_state *l = find(s, w->lease.id, &place);

	if (!l)
		return;
	l->queued = false;
	if (w->error)
		return; /* the timer tries again */
	if (w->count == STORE_OPS_MAX) {
		end_lease(s, l);
		return;
	}
	s->leases.count--;
	memmove(l, l + 1, (s->leases.count - place) * sizeof(*l));
	set_timer(s);
}

/* agent/node-outbox.c: the queue of what is to be told to the API: of states only the newest, of events a
 * bounded number. */
#include <pthread.h>
#include <string.h>

#include "agent/node-internal.h"

struct outbox {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct out_item *first, **last;
	size_t length, events;
	uint64_t dropped, numbers;
	bool ended;
};

struct outbox *outbox_new(void)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->some, NULL);
	o->last = &o->first;
	return o;
}

static void item_done(struct out_item *i)
{
	free(i->namespace);
	free(i->name);
	free(i->uid);
	free(i->body);
	free(i->reason);
}

void outbox_item_free(struct out_item *item)
{
	if (!item)
		return;
	item_done(item);
	free(item);
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	for (struct out_item *i = o->first, *next; i; i = next) {
		next = i->next;
		outbox_item_free(i);
	}
	pthread_cond_destroy(&o->some);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static bool same(const struct out_item *a, const struct out_item *b)
{
	return a->kind == b->kind && str_equal(a->uid, b->uid) && str_equal(a->name, b->name) &&
	       str_equal(a->namespace, b->namespace) &&
	       (a->kind != OUT_EVENT || (str_equal(a->reason, b->reason) && str_equal(a->body, b->body)));
}

static struct out_item *find(struct outbox *o, const struct out_item *like)
{
	for (struct out_item *i = o->first; i; i = i->next)
		if (same(i, like))
			return i;
	return NULL;
}

static struct out_item *cut(struct outbox *o, struct out_item **at)
{
	struct out_item *i = *at;

	*at = i->next;
	if (!i->next)
		o->last = at;
	i->next = NULL;
	o->length--;
	o->events -= i->kind == OUT_EVENT;
	return i;
}

static void drop_oldest_event(struct outbox *o)
{
	for (struct out_item **at = &o->first; *at; at = &(*at)->next)
		if ((*at)->kind == OUT_EVENT) {
			outbox_item_free(cut(o, at));
			o->dropped++;
			return;
		}
}

/* What waits becomes as `item` says; that one's texts move or go. */
static void merge(struct out_item *waits, struct out_item *item)
{
	if (waits->kind == OUT_EVENT) {
		waits->count += item->count;
		waits->last = item->last;
	} else {
		char *body = waits->body;
		waits->body = item->body;
		item->body = body;
	}
	item_done(item);
}

void outbox_put(struct outbox *o, struct out_item item)
{
	pthread_mutex_lock(&o->lock);
	struct out_item *waits = find(o, &item), *fresh = waits ? NULL : malloc(sizeof(*fresh));
	if (waits) {
		merge(waits, &item);
	} else if (!fresh) {
		item_done(&item);
		o->dropped++;
	} else {
		if (item.kind == OUT_EVENT && o->events >= OUTBOX_EVENTS_MAX)
			drop_oldest_event(o);
		*fresh = item;
		fresh->number = ++o->numbers;
		fresh->next = NULL;
		*o->last = fresh;
		o->last = &fresh->next;
		o->length++;
		o->events += item.kind == OUT_EVENT;
	}
	pthread_cond_signal(&o->some);
	pthread_mutex_unlock(&o->lock);
}

struct out_item *outbox_take(struct outbox *o)
{
	struct out_item *item = NULL;

	pthread_mutex_lock(&o->lock);
	while (!o->first && !o->ended)
		pthread_cond_wait(&o->some, &o->lock);
	if (!o->ended)
		item = cut(o, &o->first);
	pthread_mutex_unlock(&o->lock);
	return item;
}

void outbox_return(struct outbox *o, struct out_item *item)
{
	pthread_mutex_lock(&o->lock);
	struct out_item *newer = item->kind == OUT_EVENT ? NULL : find(o, item);
	if (!newer) {
		item->next = o->first;
		if (!o->first)
			o->last = &item->next;
		o->first = item;
		o->length++;
		o->events += item->kind == OUT_EVENT;
	}
	pthread_mutex_unlock(&o->lock);
	if (newer)
		outbox_item_free(item);
}

void outbox_end(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	o->ended = true;
	pthread_cond_broadcast(&o->some);
	pthread_mutex_unlock(&o->lock);
}

size_t outbox_length(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	size_t length = o->length;
	pthread_mutex_unlock(&o->lock);
	return length;
}

uint64_t outbox_dropped(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	uint64_t dropped = o->dropped;
	pthread_mutex_unlock(&o->lock);
	return dropped;
}

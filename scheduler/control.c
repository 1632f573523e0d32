/* scheduler/control.c: a controller's writes and their answers. */
#include "scheduler/control.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "scheduler/scheduler.h"

enum { RUN_ARENA_MAX = 64 << 20, KEY_MAX = 600 };

err *controller_begin(struct controller *c, const char *name, const struct scheduler *s, worklist_fn *on_key,
		      cache_change_fn *on_change, void *user)
{
	c->name = name;
	c->objects = s->objects;
	TRY(worklist_new(s->loop, on_key, user, &c->list));
	return cache_subscribe(s->cache, on_change, user);
}

static void unref(struct run *r)
{
	if (--r->refs > 0)
		return;
	struct controller *c = r->controller;
	if (!r->failed)
		worklist_went_well(c->list, r->key);
	entry_unref(r->subject);
	arena_free(r->arena);
	free(r);
}

err *run_begin(struct controller *c, const char *key, const struct entry *subject, struct run **ret)
{
	size_t len = strlen(key) + 1;
	struct run *r = calloc(1, sizeof(*r) + len);

	if (!r)
		return err_oom();
	memcpy(r->key, key, len);
	r->controller = c;
	r->refs = 1;
	r->subject = subject ? entry_ref(subject) : NULL;
	err *e = arena_new(RUN_ARENA_MAX, &r->arena);
	if (e)
		unref(r);
	else
		*ret = r;
	return e;
}

/* Tried again, with patience. */
static void note_failure(struct run *r, const err *e)
{
	auto_str struct str text = STR_INIT(4096);

	err_format(e, &text);
	if (!r->failed && worklist_failed(r->controller->list, r->key) == 1)
		log_warning("a controller will try again", "controller", r->controller->name, "object",
			    r->key, "error", text.data, NULL);
	r->failed = true;
}

void run_end(struct run *r, err *e)
{
	if (e)
		note_failure(r, e);
	err_free(e);
	unref(r);
}

/* ---- one write ---- */

struct ticket {
	struct run *run;
	run_change_fn *fn;
	const void *value;
	bool create;
	struct run_told told;
};

static struct ticket *ticket_new(struct run *r, const struct run_told *told)
{
	struct ticket *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->run = r;
	if (told)
		t->told = *told;
	r->refs++;
	worklist_hold(r->controller->list, r->key);
	return t;
}

/* Somebody was faster, or it is gone, or all is being closed: the next look shows it. */
static bool is_no_failure(const struct ticket *t, const err *e)
{
	return e->code == ECANCELED || (!t->create && (e->code == ESTALE || e->code == ENOENT));
}

static void answered(const err *error, const struct entry *entry, void *user)
{
	struct ticket *t = user;
	struct run *r = t->run;

	if (error && t->told.bad)
		t->told.bad(r, error);
	else if (!error && t->told.good)
		t->told.good(r, entry);
	if (error && !is_no_failure(t, error))
		note_failure(r, error);
	free(t);
	worklist_release(r->controller->list, r->key);
	unref(r);
}

/* A call that was refused at once has no answer of its own. */
static void sent(struct ticket *t, err *refused)
{
	if (refused)
		answered(refused, NULL, t);
	err_free(refused);
}

void run_create(struct run *r, const struct object *object, const struct run_told *told)
{
	struct ticket *t = ticket_new(r, told);
	const struct write w = { .done = answered, .user = t };

	t->create = true;
	sent(t, objects_create(r->controller->objects, object, &w));
}

static err *change(struct arena *arena, struct object *draft, void *user)
{
	struct ticket *t = user;

	return t->fn(arena, draft, t->value);
}

void run_change(struct run *r, const struct object *object, const char *subresource, run_change_fn *fn,
		const void *value, const struct run_told *told)
{
	const struct meta *m = &object->metadata;
	struct ticket *t = ticket_new(r, told);
	const struct write w = { .subresource = subresource, .done = answered, .user = t };

	t->fn = fn;
	t->value = value;
	sent(t,
	     objects_change(r->controller->objects, kind_of(object), m->namespace, m->name, change, t, &w));
}

void run_delete(struct run *r, const struct object *object, const int64_t *grace, const struct run_told *told)
{
	const struct meta *m = &object->metadata;
	const struct delete_options how = { .uid = m->uid, .grace = grace };
	struct ticket *t = ticket_new(r, told);
	const struct write w = { .done = answered, .user = t };

	sent(t, objects_delete(r->controller->objects, kind_of(object), m->namespace, m->name, &how, &w));
}

/* ---- taking what nobody has ---- */

/* Who takes, and which very object. */
struct taking {
	const struct entry *owner;
	const char *uid;
};

static err *change_owner(struct arena *arena, struct object *draft, const void *value)
{
	const struct taking *t = value;
	const struct meta *owner = &t->owner->object->metadata;
	struct meta *m = &draft->metadata;
	struct owner_reference *items;

	if (!str_equal(m->uid, t->uid) || m->deletion.nsec || meta_controller(m))
		return err_new(ESTALE, "%s '%s' is not to be taken any more", kind_of(draft)->plural,
			       m->name);
	TRY_ALLOC(arena, items, arena_array(arena, m->owners.count + 1, sizeof(*items)));
	if (m->owners.count)
		memcpy(items, m->owners.items, m->owners.count * sizeof(*items));
	items[m->owners.count++] = (struct owner_reference){
		.api_version = t->owner->kind->api_version,
		.kind = t->owner->kind->name,
		.name = owner->name,
		.uid = owner->uid,
		.controller = true,
		.block_owner_deletion = true,
	};
	m->owners.items = items;
	return NULL;
}

struct adoption {
	struct run *run;
	const struct label_selector *selector;
	const struct entry **found;
	size_t count, cap;
};

/* A look takes so many; the next look goes on. */
enum { ADOPT_MAX = 500 };

static bool gather_loose(const struct entry *e, void *user)
{
	struct adoption *a = user;

	if (!e->object->metadata.deletion.nsec &&
	    label_selector_matches(a->selector, &e->object->metadata.labels))
		a->found[a->count++] = e;
	return a->count < a->cap;
}

size_t run_adopt(struct run *r, const struct cache *cache, enum kind_id kind,
		 const struct label_selector *selector)
{
	const struct entry *found[ADOPT_MAX];
	struct adoption a = { r, selector, found, 0, ADOPT_MAX };

	cache_each_loose(cache, kind, r->subject->object->metadata.namespace, gather_loose, &a);
	for (size_t i = 0; i < a.count; i++) {
		struct taking *t = arena_alloc(r->arena, sizeof(*t));
		if (!t)
			return i;
		*t = (struct taking){ r->subject, found[i]->object->metadata.uid };
		run_change(r, found[i]->object, NULL, change_owner, t, NULL);
	}
	return a.count;
}

bool run_is_let_go(const struct entry *before, const struct entry *after)
{
	return !meta_controller(&after->object->metadata) &&
	       (!before || meta_controller(&before->object->metadata));
}

/* ---- keys ---- */

err *run_key(struct arena *arena, const struct meta *meta, const char **ret)
{
	TRY_ALLOC(arena, *ret,
		  arena_printf(arena, "%s/%s", meta->namespace ? meta->namespace : "", meta->name));
	return NULL;
}

void run_look(struct controller *c, const char *namespace, const char *name)
{
	char key[KEY_MAX];
	int len = snprintf(key, sizeof(key), "%s/%s", namespace ? namespace : "", name);

	if (len > 0 && (size_t)len < sizeof(key))
		worklist_add(c->list, key);
}

const char *run_name(const char *key, char namespace[static RUN_NAMESPACE_MAX])
{
	const char *slash = strchr(key, '/');
	size_t len = slash ? (size_t)(slash - key) : 0;

	len = MIN(len, (size_t)RUN_NAMESPACE_MAX - 1);
	memcpy(namespace, key, len);
	namespace[len] = '\0';
	return slash ? slash + 1 : key;
}

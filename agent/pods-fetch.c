/* agent/pods-fetch.c: images of containers, found in the store or fetched: each once, whoever wants it. */
#include <stdlib.h>
#include <string.h>

#include "agent/pods-internal.h"
#include "base/clock.h"
#include "images/remote.h"

/* ---- in a worker ---- */

static err *found(struct job *j, const struct image *image, const char *text)
{
	char digest[DIGEST_TEXT_MAX], target[DIGEST_TEXT_MAX];
	const char *slash = strrchr(text, '/');
	size_t path = slash ? (size_t)(slash - text) : 0, name = path + strcspn(text + path, ":@");

	j->digest = strdup(digest_text(&image->digest, digest));
	if (!j->digest || asprintf(&j->image_id, "%.*s@%s", (int)name, text, digest_text(&image->target, target)) < 0)
		return err_oom();
	return NULL;
}

static err *resolve(struct job *j, struct image_store *store)
{
	auto_arena struct arena *arena = NULL;
	const struct image *image;

	TRY(arena_new(64 << 20, &arena));
	err *e = image_resolve(store, arena, j->image, NULL, &image);
	j->absent = e && e->code == ENOENT;
	TRY(e);
	return found(j, image, j->image);
}

static err *pull(struct job *j, struct image_store *store)
{
	const struct pods *p = j->p;
	auto_registry struct registry *registry = NULL;
	struct reference reference;
	struct image_pull_result result;
	const struct registry_options options = {
		.auth_file = p->auth_file,
		.insecure = (const char *const *)p->unverified,
		.cancel = &j->cancel,
	};
	const struct image_pull_options how = { .cancel = &j->cancel };
	int64_t begin = clock_monotonic();

	j->error_reason = "InvalidImageName";
	TRY(reference_parse(j->image, NULL, &reference));
	j->error_reason = "ErrImagePull";
	TRY(registry_new(&options, &registry));
	TRY(image_pull_remote(store, registry, &reference, &how, &result));
	j->bytes = result.fetched;
	j->nsec = clock_monotonic() - begin;
	return NULL;
}

void pods_fetch_run(struct job *j)
{
	auto_store struct image_store *store = NULL;

	j->error_reason = "ErrImagePull";
	j->error = image_store_open(j->p->store, IMAGE_STORE_SHARED, &store);
	if (!j->error && j->pull)
		j->error = pull(j, store);
	if (!j->error)
		j->error = resolve(j, store);
}

/* ---- in the loop's thread ---- */

static struct fetch *find(struct pods *p, const char *image, int policy)
{
	for (struct fetch *f = p->fetches; f; f = f->next)
		if (str_equal(f->image, image) && f->policy == policy)
			return f;
	struct fetch *f = calloc(1, sizeof(*f));
	if (!f || !(f->image = strdup(image))) {
		free(f);
		return NULL;
	}
	f->p = p;
	f->policy = policy;
	f->next = p->fetches;
	p->fetches = f;
	return f;
}

static void forget(struct fetch *f)
{
	struct fetch **link = &f->p->fetches;

	while (*link && *link != f)
		link = &(*link)->next;
	if (*link)
		*link = f->next;
	free(f->image);
	free(f);
}

void pods_fetch_drop(struct watched *w)
{
	struct fetch *f = TAKE(w->fetch);

	if (!f || --f->users > 0)
		return;
	if (f->job)
		atomic_store(&f->job->cancel, true);
	else
		forget(f);
}

void pods_fetch_free_all(struct pods *p)
{
	while (p->fetches)
		forget(p->fetches);
}

static void for_users(struct fetch *f, void (*each)(struct watched *w, const struct job *j), const struct job *j)
{
	for (struct entry *e = f->p->entries; e; e = e->next)
		for (size_t i = 0; i < e->count; i++)
			if (e->containers[i].fetch == f) {
				each(&e->containers[i], j);
				pods_entry_due(e);
			}
}

static void tell_pulling(struct watched *w, const struct job *j UNUSED)
{
	pods_event(w->entry, false, "Pulling", "pulling image '%s'", w->fetch->image);
}

static void submit(struct fetch *f, bool ask_registry)
{
	struct job *j;
	err *e = pods_job_new(f->p, JOB_FETCH, NULL, &j);

	if (!e) {
		j->image = strdup(f->image);
		if (!j->image) {
			pods_job_free(j);
			e = err_oom();
		}
	}
	if (e) {
		f->retry_at = clock_boot() + (int64_t)NSEC_PER_SEC;
		err_free(e);
		return;
	}
	j->fetch = f;
	j->pull = ask_registry;
	f->job = j;
	if (ask_registry)
		for_users(f, tell_pulling, j);
	pods_job_submit(j);
}

void pods_fetch_want(struct watched *w)
{
	const struct pod_container *c = &w->entry->object->pod->spec.containers.items[w->index];
	int policy = c->pull;

	/* Kubernetes' rule: a tag that says "the newest" is asked for each time. */
	if (!policy) {
		size_t slash = strrchr(c->image, '/') ? (size_t)(strrchr(c->image, '/') - c->image) : 0;
		bool fixed = strchr(c->image, '@') || (strchr(c->image + slash, ':') && !str_ends_with(c->image, ":latest"));
		policy = fixed ? POD_PULL_IF_NOT_PRESENT : POD_PULL_ALWAYS;
	}
	if (!w->fetch) {
		w->fetch = find(w->entry->p, c->image, policy);
		if (!w->fetch)
			return;
		w->fetch->users++;
		if (w->fetch->job && w->fetch->job->pull)
			tell_pulling(w, w->fetch->job);
	}
	struct fetch *f = w->fetch;
	if (!f->job && clock_boot() >= f->retry_at)
		submit(f, policy == POD_PULL_ALWAYS);
	if (!f->job)
		w->retry_at = f->retry_at;
}

enum decide_image pods_fetch_state(const struct watched *w)
{
	if (w->image)
		return DECIDE_IMAGE_READY;
	return w->fetch && w->fetch->job ? DECIDE_IMAGE_PULLING : DECIDE_IMAGE_UNKNOWN;
}

static void succeeded(struct watched *w, const struct job *j)
{
	free(w->image);
	free(w->image_id);
	w->image = strdup(j->digest);
	w->image_id = strdup(j->image_id);
	w->retry_at = 0;
	pods_watched_problem(w, NULL, NULL);
	w->entry->dirty = true;
	if (j->pull)
		pods_event(w->entry, false, "Pulled", "pulled image '%s' in %lld.%03lld s, %lld bytes", w->fetch->image,
			   (long long)(j->nsec / (int64_t)NSEC_PER_SEC),
			   (long long)(j->nsec % (int64_t)NSEC_PER_SEC / (int64_t)NSEC_PER_MSEC), (long long)j->bytes);
	else
		pods_event(w->entry, false, "Pulled", "image '%s' is on this machine already", w->fetch->image);
}

static void failed(struct watched *w, const struct job *j)
{
	auto_str struct str text = STR_INIT(4096);

	err_format(j->error, &text);
	w->retry_at = w->fetch->retry_at;
	pods_watched_problem(w,
			     w->fetch->policy == POD_PULL_NEVER && j->absent ? "ErrImageNeverPull"
									     : j->error_reason,
			     text.data);
	pods_event(w->entry, true, "Failed", "failed to pull image '%s': %s", w->fetch->image, text.data);
}

static void release(struct watched *w, const struct job *j UNUSED)
{
	w->fetch = NULL;
}

void pods_fetch_finished(struct job *j)
{
	struct fetch *f = j->fetch;
	struct pods *p = j->p;

	f->job = NULL;
	if (f->users == 0) {
		forget(f);
		return;
	}
	/* It was cut off because nobody wanted it any more; meanwhile somebody does. */
	if (j->error && atomic_load(&j->cancel) && j->error->code == ECANCELED) {
		submit(f, j->pull);
		return;
	}
	if (j->error && !j->pull && j->absent && f->policy != POD_PULL_NEVER) {
		submit(f, true);
		return;
	}
	if (j->pull) {
		p->totals.pulls++;
		p->totals.pull_bytes += (uint64_t)MAX(j->bytes, 0);
	}
	if (j->error) {
		p->totals.failures++;
		p->totals.pull_failures++;
		f->retry_at = clock_boot() + decide_backoff(++f->failures, p->o.backoff_first, p->o.backoff_max);
		for_users(f, failed, j);
		return;
	}
	for_users(f, succeeded, j);
	for_users(f, release, j);
	forget(f);
}

/* cmd/stube/rollout-wait.c: whether a Deployment's rollout is complete, and waiting for it. */
#include <stdio.h>
#include <string.h>

#include "api/deployment.h"
#include "base/clock.h"
#include "cmd/stube/cluster.h"

/* One line on where it stands; *ret_failed: its progress deadline has passed. True: complete.
 * Ref: `kubectl rollout status` judges by the same members. */
static bool judge(const struct deployment *d, char *out, size_t size, bool *ret_failed)
{
	const struct deployment_status *s = &d->status;
	const struct condition *progress = condition_find(&s->conditions, "Progressing");

	*ret_failed = false;
	if (s->observed_generation < d->metadata.generation)
		snprintf(out, size, "waiting for the scheduler to see the change");
	else if (progress && str_equal(progress->reason, "ProgressDeadlineExceeded")) {
		*ret_failed = true;
		snprintf(out, size, "exceeded its progress deadline: %d of %d are available", s->available, d->spec.replicas);
	} else if (s->updated < d->spec.replicas)
		snprintf(out, size, "%d of %d are of the new template", s->updated, d->spec.replicas);
	else if (s->replicas > s->updated)
		snprintf(out, size, "%d old ones are still there", s->replicas - s->updated);
	else if (s->available < s->updated)
		snprintf(out, size, "%d of %d are available", s->available, s->updated);
	else {
		snprintf(out, size, "complete, %d available", s->available);
		return true;
	}
	return false;
}

struct waiting {
	const char *name;
	char line[160];
	bool quiet, complete, failed, gone;
};

static err *on_event(const struct watch_event *event, void *user)
{
	struct waiting *w = user;
	char line[sizeof(w->line)];

	if (!event->object)
		return NULL;
	w->gone = event->type == WATCH_DELETED;
	w->complete = !w->gone && judge((const struct deployment *)event->object, line, sizeof(line), &w->failed);
	if (!w->gone && !w->quiet && !str_equal(line, w->line)) {
		printf("deployment/%s: %s\n", w->name, line);
		fflush(stdout);
	}
	if (!w->gone)
		snprintf(w->line, sizeof(w->line), "%s", line);
	return w->complete || w->failed || w->gone ? err_new(ECANCELED, "seen enough") : NULL;
}

err *rollout_wait(struct cluster *c, const char *namespace, const char *name, int64_t timeout, bool quiet,
		  int *ret_status)
{
	int64_t end = clock_monotonic() + timeout;
	struct waiting w = { .name = name, .quiet = quiet };
	auto_str struct str fields = STR_INIT(512);

	str_addf(&fields, "metadata.name=%s", name);
	TRY(str_check(&fields));
	do {
		auto_arena struct arena *arena = NULL;
		struct object *object;
		TRY(arena_new(64 << 20, &arena));
		TRY(api_get(c->client, arena, &kinds[KIND_DEPLOYMENT], namespace, name, &object));
		struct api_query query = {
			.fields = fields.data,
			.resource_version = object->metadata.resource_version,
			.timeout = MIN(end - clock_monotonic(), 60 * (int64_t)NSEC_PER_SEC),
		};
		err *e = on_event(&(struct watch_event){ .type = WATCH_ADDED, .object = object }, &w);
		if (!e && timeout >= 0)
			e = api_watch(c->client, &kinds[KIND_DEPLOYMENT], namespace, &query, on_event, &w, NULL);
		if (e && !w.complete && !w.failed && !w.gone && e->code != EKEYEXPIRED && e->code != ETIMEDOUT)
			return e;
		err_free(e);
		if (w.complete)
			return NULL;
		if (w.failed) {
			*ret_status = STATUS_NO;
			return err_hint(err_new(ECANCELED, "Deployment '%s': %s", name, w.line),
					"See why with: stube explain deployment/%s", name);
		}
		if (w.gone)
			return err_new(ENOENT, "Deployment '%s' was deleted meanwhile", name);
	} while (clock_monotonic() < end);
	*ret_status = STATUS_NO;
	return err_hint(err_new(ETIMEDOUT, "Deployment '%s' is not complete: %s", name, w.line),
			"See why with: stube explain deployment/%s", name);
}

/* agent/pods-claims.c: claims of Pods: where their data is on this node, and when it goes. */
#include <stdlib.h>
#include <string.h>

#include "agent/pods-internal.h"
#include "agent/volumes.h"
#include "base/log.h"

/* Where the claim's data is. False: nobody knows it yet. */
static bool find_claim(struct entry *e, const char *name, const char **ret_uid)
{
	const struct pods *p = e->p;
	const char *namespace = e->object->pod->metadata.namespace;

	for (size_t i = 0; i < e->claim_count; i++)
		if (str_equal(e->claims[i].claim, name)) {
			*ret_uid = e->claims[i].uid;
			return true;
		}
	const struct claim *claim = p->o.claim ? p->o.claim(namespace, name, p->o.user) : NULL;
	if (!claim || !claim->metadata.uid)
		return false;
	struct pods_record_claim *list = realloc(e->claims, (e->claim_count + 1) * sizeof(*list));
	if (!list)
		return false;
	e->claims = list;
	list[e->claim_count] = (struct pods_record_claim){ strdup(name), strdup(claim->metadata.uid) };
	if (!list[e->claim_count].claim || !list[e->claim_count].uid)
		return false;
	*ret_uid = list[e->claim_count++].uid;
	e->dirty = true;
	return true;
}

err *pods_claims_add(struct entry *e, struct bundle_claim *claims, size_t *count)
{
	const struct pod *pod = e->object->pod;

	for (size_t i = 0; i < pod->spec.volumes.count; i++) {
		const struct pod_volume *v = &pod->spec.volumes.items[i];
		auto_str struct str path = STR_INIT(4096);
		const char *uid;
		if (!v->claim)
			continue;
		if (!find_claim(e, v->claim->claim, &uid))
			return err_new(EAGAIN, "volume '%s': the claim '%s' is not known here yet", v->name,
				       v->claim->claim);
		if (*count == PODS_CONTAINERS_MAX)
			return err_new(E2BIG, "more than %d claims", PODS_CONTAINERS_MAX);
		TRY(volumes_claim_path(e->p->data, pod->metadata.namespace, uid, &path));
		claims[*count] = (struct bundle_claim){ v->name, str_take(&path) };
		if (!claims[*count].path)
			return err_oom();
		(*count)++;
	}
	return NULL;
}

/* ---- deleted claims ---- */

void pods_claim_gone(struct pods *p, const char *namespace, const char *uid)
{
	auto_str struct str path = STR_INIT(4096);
	struct dead_claim *d = calloc(1, sizeof(*d));
	err *e = d ? volumes_claim_path(p->data, namespace, uid, &path) : err_oom();

	if (!e && (!(d->path = str_take(&path)) || !(d->uid = strdup(uid))))
		e = err_oom();
	if (e) {
		log_err(e);
		err_free(e);
		pods_dead_claim_free(d);
		return;
	}
	d->next = p->dead_claims;
	p->dead_claims = d;
	pods_kick(p);
}

void pods_dead_claim_free(struct dead_claim *d)
{
	if (!d)
		return;
	free(d->path);
	free(d->uid);
	free(d);
}

/* A Pod whose record cannot be read may mount anything. */
static bool is_mounted(const struct pods *p, const char *uid)
{
	for (const struct entry *e = p->entries; e; e = e->next) {
		if (e->frozen)
			return true;
		for (size_t i = 0; i < e->claim_count; i++)
			if (str_equal(e->claims[i].uid, uid))
				return true;
	}
	return false;
}

void pods_claims_turn(struct pods *p)
{
	struct dead_claim **link = &p->dead_claims;

	while (*link) {
		struct dead_claim *d = *link;
		struct job *j;
		if (is_mounted(p, d->uid)) {
			link = &d->next;
			continue;
		}
		err *e = pods_job_new(p, JOB_CLAIM, NULL, &j);
		if (e) {
			err_free(e);
			return;
		}
		j->path = TAKE(d->path);
		*link = d->next;
		pods_dead_claim_free(d);
		pods_job_submit(j);
	}
}

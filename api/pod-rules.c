/* api/pod-rules.c: the rules between the fields of a Pod or template. */
#include <inttypes.h>

#include "api/kinds-internal.h"
#include "api/pod-internal.h"

#define PATH_TEXT 256

static const struct pod_volume *find_volume(const struct pod_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->volumes.count; i++)
		if (str_equal(spec->volumes.items[i].name, name))
			return &spec->volumes.items[i];
	return NULL;
}

static err *check_volumes(struct decoder *d, const char *path, const struct pod_spec *spec)
{
	char at[PATH_TEXT];

	for (size_t i = 0; i < spec->volumes.count; i++) {
		const struct pod_volume *v = &spec->volumes.items[i];
		snprintf(at, sizeof(at), "%s.volumes[%zu]", path, i);
		if (!!v->empty_dir + !!v->host_path + !!v->claim != 1)
			return decoder_fail(d, at, "needs one source: emptyDir, hostPath or persistentVolumeClaim");
		if (find_volume(spec, v->name) != v)
			return decoder_fail(d, at, "there is another volume '%s'", v->name);
	}
	return NULL;
}

static err *check_mounts(struct decoder *d, const char *path, const struct pod_spec *spec,
			 const struct pod_container *c)
{
	char at[PATH_TEXT + 32];

	for (size_t i = 0; i < c->mounts.count; i++) {
		const struct pod_mount *m = &c->mounts.items[i];
		snprintf(at, sizeof(at), "%s.volumeMounts[%zu]", path, i);
		if (!find_volume(spec, m->name))
			return decoder_fail(d, at, "there is no volume '%s'", m->name);
		for (size_t j = 0; j < i; j++)
			if (str_equal(c->mounts.items[j].mount_path, m->mount_path))
				return decoder_fail(d, at, "'%s' is mounted over twice", m->mount_path);
	}
	return NULL;
}

static err *check_ports(struct decoder *d, const char *path, const struct pod_spec *spec,
			const struct pod_container *c)
{
	char at[PATH_TEXT + 32];

	for (size_t i = 0; i < c->ports.count; i++) {
		const struct pod_port *p = &c->ports.items[i];
		snprintf(at, sizeof(at), "%s.ports[%zu].hostPort", path, i);
		if (p->host_port == 0)
			continue;
		if (!spec->host_network)
			return decoder_fail(d, at, "is not supported without hostNetwork");
		if (p->host_port != p->container_port)
			return decoder_fail(d, at, "must be the containerPort, as with hostNetwork both are one");
	}
	return NULL;
}

static bool is_root(const int64_t *container, const int64_t *pod)
{
	const int64_t *id = container ? container : pod;

	return id && *id == 0;
}

static err *check_container(struct decoder *d, const char *at, const struct pod_spec *spec, size_t index)
{
	const struct pod_container *c = &spec->containers.items[index];
	const struct pod_resources *r = &c->resources;
	const bool *non_root = c->security.run_as_non_root ? c->security.run_as_non_root :
							     spec->security.run_as_non_root;

	for (size_t j = 0; j < index; j++)
		if (str_equal(spec->containers.items[j].name, c->name))
			return decoder_fail(d, at, "there is another container '%s'", c->name);
	if (non_root && *non_root && is_root(c->security.run_as_user, spec->security.run_as_user))
		return decoder_fail(d, at, "runAsNonRoot, but runAsUser is 0");
	if ((r->limits.cpu.given && r->requests.cpu.milli > r->limits.cpu.milli) ||
	    (r->limits.memory.given && r->requests.memory.milli > r->limits.memory.milli))
		return decoder_fail(d, at, "a request is larger than its limit");
	TRY(check_mounts(d, at, spec, c));
	return check_ports(d, at, spec, c);
}

static err *check_tolerations(struct decoder *d, const char *path, const struct pod_spec *spec)
{
	char at[PATH_TEXT];

	for (size_t i = 0; i < spec->tolerations.count; i++) {
		const struct toleration *t = &spec->tolerations.items[i];
		snprintf(at, sizeof(at), "%s.tolerations[%zu]", path, i);
		if (!t->key && t->operator != TOLERATION_EXISTS)
			return decoder_fail(d, at, "without a key the operator must be Exists");
		if (t->value && t->operator == TOLERATION_EXISTS)
			return decoder_fail(d, at, "the operator Exists takes no value");
		if (t->seconds && t->effect != TAINT_NO_EXECUTE)
			return decoder_fail(d, at, "tolerationSeconds is of the effect NoExecute");
	}
	return NULL;
}

static err *check_selector(struct decoder *d, const char *path, const struct label_selector *selector)
{
	char at[PATH_TEXT + 32];

	snprintf(at, sizeof(at), "%s.labelSelector", path);
	return selector ? label_selector_check(d, at, selector) : NULL;
}

static err *check_placement(struct decoder *d, const char *path, const struct pod_spec *spec)
{
	char at[PATH_TEXT];

	snprintf(at, sizeof(at), "%s.nodeSelector", path);
	TRY(meta_check_labels(d, at, &spec->node_selector));
	TRY(check_tolerations(d, path, spec));
	for (size_t i = 0; i < spec->spread.count; i++) {
		snprintf(at, sizeof(at), "%s.topologySpreadConstraints[%zu]", path, i);
		TRY(check_selector(d, at, spec->spread.items[i].selector));
	}
	for (size_t i = 0; i < spec->affinity.anti_required.count; i++) {
		snprintf(at, sizeof(at),
			 "%s.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[%zu]", path, i);
		TRY(check_selector(d, at, spec->affinity.anti_required.items[i].selector));
	}
	return NULL;
}

err *pod_spec_check(struct decoder *d, const char *path, const struct pod_spec *spec)
{
	char at[PATH_TEXT];

	TRY(check_volumes(d, path, spec));
	for (size_t i = 0; i < spec->containers.count; i++) {
		snprintf(at, sizeof(at), "%s.containers[%zu]", path, i);
		TRY(check_container(d, at, spec, i));
	}
	return check_placement(d, path, spec);
}

err *pod_meta_check(struct decoder *d, const char *path, const struct meta *m)
{
	const char *limit = string_map_get(&m->annotations, POD_PIDS_LIMIT);
	char at[PATH_TEXT];
	uint64_t number;

	snprintf(at, sizeof(at), "%s.annotations", path);
	if (limit && (!str_to_u64(limit, &number) || number < 1 || number > INT32_MAX))
		return rule_fail(d, at, POD_PIDS_LIMIT, limit, "is no number of processes");
	return meta_check_own(d, path, m);
}

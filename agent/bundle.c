/* agent/bundle.c: config.json of one container, and the files beside it. */
#include "agent/bundle.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "agent/bundle-internal.h"
#include "base/file.h"
#include "oci/seccomp-default.h"

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

enum { CPU_PERIOD = 100000, FILE_MAX = 256 * 1024 };

/* clang-format off */
static const char *masked_paths[] = {
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
	"/sys/devices/virtual/powercap", "/sys/firmware",
};
static const char *readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};
/* A service may bind ports below 1024 in a network of its own without any capability. */
static struct string_pair own_network_sysctl[] = {
	{ "net.ipv4.ip_unprivileged_port_start", "0" },
};
/* clang-format on */

static err *namespaces(struct arena *arena, const struct bundle_input *in, struct oci_config *config)
{
	static const struct bundle_join none = { 0 };
	const struct bundle_join *join = in->join ? in->join : &none;
	const struct {
		int type;
		bool wanted;
		const char *path;
	} rows[] = {
		{ CLONE_NEWUSER, in->ids.size > 0, join->user },
		{ CLONE_NEWNET, in->network != BUNDLE_NET_HOST, join->net ? join->net : in->netns_path },
		{ CLONE_NEWIPC, true, join->ipc },
		{ CLONE_NEWUTS, true, join->uts },
		{ CLONE_NEWPID, true, NULL },
		{ CLONE_NEWNS, true, NULL },
		{ CLONE_NEWCGROUP, in->cgroups_path != NULL, NULL },
	};

	TRY_ALLOC(arena, config->linux.namespaces.items,
		  arena_array(arena, ARRAY_LEN(rows), sizeof(struct oci_namespace)));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].wanted)
			config->linux.namespaces.items[config->linux.namespaces.count++] =
				(struct oci_namespace){ rows[i].type, rows[i].path };
	if (in->ids.size == 0 || join->user) /* what is joined has its maps */
		return NULL;
	struct oci_id_mapping *map;
	uint32_t head = in->ids.first == 0 ? 1 : in->ids.size;
	TRY_ALLOC(arena, map, arena_array(arena, 2, sizeof(*map)));
	/* In a rootless caller's namespace 0 is its user and the rest its ranges: the kernel does not let one line
	 * of a map span two of the map above it. */
	map[0] = (struct oci_id_mapping){ 0, in->ids.first, head };
	map[1] = (struct oci_id_mapping){ head, in->ids.first + head, in->ids.size - head };
	config->linux.uid_mappings = config->linux.gid_mappings =
		(struct oci_id_mappings){ map, in->ids.size > head ? 2 : 1 };
	return NULL;
}

static err *copy_i64(struct arena *arena, int64_t value, const int64_t **ret)
{
	int64_t *copy;

	TRY_ALLOC(arena, copy, arena_alloc(arena, sizeof(*copy)));
	*copy = value;
	*ret = copy;
	return NULL;
}

/* Kubernetes' arithmetic: shares from the request, or else from the limit; quota from the limit. A request alone is a
 * weight: where the machine has none, placement has counted it and nothing is promised that does not hold. */
static err *cpu(struct arena *arena, const struct bundle_input *in, const struct pod_resources *r, struct oci_resources *out)
{
	const struct quantity *base = r->requests.cpu.given ? &r->requests.cpu : &r->limits.cpu;
	struct oci_cpu *c;
	uint64_t *shares, *period;

	if (!base->given || (in->no_weights && !r->limits.cpu.given))
		return NULL;
	TRY_ALLOC(arena, c, arena_alloc(arena, sizeof(*c)));
	TRY_ALLOC(arena, shares, arena_alloc(arena, sizeof(*shares)));
	*shares = (uint64_t)MAX(2, base->milli * 1024 / 1000);
	c->shares = shares;
	if (r->limits.cpu.given) {
		TRY_ALLOC(arena, period, arena_alloc(arena, sizeof(*period)));
		*period = CPU_PERIOD;
		c->period = period;
		TRY(copy_i64(arena, MAX(1000, r->limits.cpu.milli * CPU_PERIOD / 1000), &c->quota));
	}
	out->cpu = c;
	return NULL;
}

/* A service without one of its processes is neither running nor restarted: it ends as a whole, and is started
 * anew. */
static struct string_pair oom_group[] = { { "memory.oom.group", "1" } };

static err *resources(struct arena *arena, const struct bundle_input *in, struct oci_resources *out)
{
	const struct pod_resources *r = &in->pod->spec.containers.items[in->container].resources;
	const char *pids = string_map_get(&in->pod->metadata.annotations, POD_PIDS_LIMIT);
	uint64_t limit;

	if (!in->cgroups_path) {
		if (r->limits.cpu.given || r->limits.memory.given || pids)
			return err_new(EINVAL, "a limit needs a cgroup, and cgroups are disabled");
		return NULL;
	}
	/* No device but the runtime's default ones, which it allows behind this rule. */
	TRY_ALLOC(arena, out->devices.items, arena_alloc(arena, sizeof(struct oci_device_rule)));
	out->devices.items[0] = (struct oci_device_rule){ .allow = false, .type = 'a', .access = "rwm" };
	out->devices.count = 1;
	TRY(cpu(arena, in, r, out));
	if (in->oom_group) {
		out->unified.items = oom_group;
		out->unified.count = ARRAY_LEN(oom_group);
	}
	if (r->limits.memory.given) {
		struct oci_memory *m;
		TRY_ALLOC(arena, m, arena_alloc(arena, sizeof(*m)));
		TRY(copy_i64(arena, quantity_units(&r->limits.memory), &m->limit));
		out->memory = m;
	}
	if (pids && str_to_u64(pids, &limit)) {
		struct oci_pids *p;
		TRY_ALLOC(arena, p, arena_alloc(arena, sizeof(*p)));
		p->limit = (int64_t)limit;
		out->pids = p;
	}
	return NULL;
}

/* The default profile gives back the calls of the capabilities that were listed. */
static err *seccomp(struct arena *arena, const struct bundle_input *in, struct oci_config *config)
{
	const struct pod_seccomp_profile *own = in->pod->spec.containers.items[in->container].security.seccomp;
	const struct pod_seccomp_profile *profile = own ? own : in->pod->spec.security.seccomp;

	if (profile && profile->type == POD_SECCOMP_UNCONFINED)
		return NULL;
	return oci_seccomp_default(arena, oci_capability_mask(&config->process->capabilities->bounding),
				   &config->linux.seccomp);
}

/* The oldest version of the specification that has all we use: older runtimes refuse what is newer. */
static const char *needed_version(const struct oci_config *config)
{
	for (size_t i = 0; i < config->mounts.count; i++)
		if (config->mounts.items[i].uid_mappings.count > 0)
			return "1.2.0";
	return "1.0.2";
}

err *bundle_decide(struct arena *arena, const struct bundle_input *in, struct bundle_result *ret)
{
	const bool *read_only = in->pod->spec.containers.items[in->container].security.read_only_root;
	struct oci_root *root;

	*ret = (struct bundle_result){ 0 };
	struct oci_config *config = &ret->config;
	TRY(bundle_process(arena, in, ret));
	TRY_ALLOC(arena, root, arena_alloc(arena, sizeof(*root)));
	root->path = "rootfs";
	root->readonly = !read_only || *read_only;
	config->root = root;
	TRY(bundle_mounts(arena, in, config));
	config->version = needed_version(config);
	TRY(namespaces(arena, in, config));
	TRY(resources(arena, in, &config->linux.resources));
	config->linux.cgroups_path = in->cgroups_path;
	TRY(seccomp(arena, in, config));
	config->linux.masked_paths = (struct strings){ masked_paths, ARRAY_LEN(masked_paths) };
	config->linux.readonly_paths = (struct strings){ readonly_paths, ARRAY_LEN(readonly_paths) };
	if (in->network == BUNDLE_NET_NEW) {
		config->linux.sysctl.items = own_network_sysctl;
		config->linux.sysctl.count = ARRAY_LEN(own_network_sysctl);
	}
	return NULL;
}

/* A file of the host that a container in the host's network may see. A missing one is empty. */
static void host_file(const char *path, struct str *out)
{
	auto_str struct str text = STR_INIT(FILE_MAX / 2);
	err *e = file_read(AT_FDCWD, path, &text);

	if (!e)
		str_add_bytes(out, text.data, text.len);
	err_free(e);
}

static err *write_hosts(int dir_fd, const struct bundle_input *in, const char *hostname)
{
	const struct pod_spec *spec = &in->pod->spec;
	auto_str struct str text = STR_INIT(FILE_MAX);

	if (in->network == BUNDLE_NET_HOST)
		host_file("/etc/hosts", &text);
	else
		str_add(&text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	str_addf(&text, "127.0.0.1\t%s\n", hostname);
	for (size_t i = 0; i < spec->host_aliases.count; i++) {
		str_add(&text, spec->host_aliases.items[i].ip);
		for (size_t j = 0; j < spec->host_aliases.items[i].hostnames.count; j++)
			str_addf(&text, "\t%s", spec->host_aliases.items[i].hostnames.items[j]);
		str_add_char(&text, '\n');
	}
	TRY(str_check(&text));
	return file_replace_volatile(dir_fd, "hosts", text.data, text.len, 0644);
}

err *bundle_write(int dir_fd, const struct bundle_input *in, const struct oci_config *config)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX), name = STR_INIT(256), resolv = STR_INIT(FILE_MAX);

	TRY(write_hosts(dir_fd, in, bundle_host_name(in)));
	str_addf(&name, "%s\n", bundle_host_name(in));
	TRY(file_replace_volatile(dir_fd, "hostname", name.data, name.len, 0644));
	if (in->resolv_conf) {
		host_file("/etc/resolv.conf", &resolv);
		TRY(file_replace_volatile(dir_fd, "resolv.conf", resolv.data, resolv.len, 0644));
	}
	oci_config_encode(&text, config, 0);
	TRY(str_check(&text));
	return file_replace_volatile(dir_fd, "config.json", text.data, text.len, 0600);
}

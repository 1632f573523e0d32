/* oci/config-rules.c: rules between the fields of `linux` and the rest of config.json. */
#include "oci/config-internal.h"

#include <linux/mempolicy.h>
#include <linux/sched.h>

const struct oci_namespace *oci_namespace_find(const struct oci_config *config, int type)
{
	for (size_t i = 0; i < config->linux.namespaces.count; i++)
		if (config->linux.namespaces.items[i].type == type)
			return &config->linux.namespaces.items[i];
	return NULL;
}

static err *rule_namespaces(const struct oci_config *c, struct decoder *d)
{
	char path[OCI_PATH_MAX];

	for (size_t i = 0; i < c->linux.namespaces.count; i++) {
		const struct oci_namespace *ns = &c->linux.namespaces.items[i];

		if (oci_namespace_find(c, ns->type) != ns)
			return decoder_fail(d, oci_rule_path(path, "linux.namespaces[%zu].type", i),
					    "'%s' is given twice", enum_name(oci_namespace_names, ns->type));
	}
	return NULL;
}

/* A namespace that is joined has its mappings already; engines name them all the same. */
static err *rule_mappings(const struct oci_id_mappings *mappings, const char *path,
			  const struct oci_namespace *user, struct decoder *d)
{
	if (mappings->count && !user)
		return decoder_fail(d, path, "needs a user namespace");
	if (!mappings->count && user && !user->path)
		return decoder_fail(d, path, "a new user namespace needs at least one mapping");
	return oci_rules_id_mappings(mappings, path, d);
}

static err *rule_user(const struct oci_config *c, struct decoder *d)
{
	const struct oci_namespace *user = oci_namespace_find(c, CLONE_NEWUSER);

	TRY(rule_mappings(&c->linux.uid_mappings, "linux.uidMappings", user, d));
	return rule_mappings(&c->linux.gid_mappings, "linux.gidMappings", user, d);
}

static err *rule_time(const struct oci_config *c, struct decoder *d)
{
	const struct oci_namespace *ns = oci_namespace_find(c, CLONE_NEWTIME);
	const struct oci_time_offsets *offsets = c->linux.time_offsets;

	/* Go writes an empty map too. */
	if (!offsets || (!offsets->boottime && !offsets->monotonic))
		return NULL;
	if (!ns)
		return decoder_fail(d, "linux.timeOffsets", "needs a time namespace");
	if (ns->path)
		return decoder_fail(d, "linux.timeOffsets",
				    "cannot be set in a time namespace that is joined");
	return NULL;
}

static err *rule_names(const struct oci_config *c, struct decoder *d)
{
	bool uts = oci_namespace_find(c, CLONE_NEWUTS);

	if (c->hostname && *c->hostname && !uts)
		return decoder_fail(d, "hostname", "needs a uts namespace");
	if (c->domainname && *c->domainname && !uts)
		return decoder_fail(d, "domainname", "needs a uts namespace");
	return NULL;
}

static err *rule_sysctl(const struct oci_config *c, struct decoder *d)
{
	char path[OCI_PATH_MAX], file[512];

	for (size_t i = 0; i < c->linux.sysctl.count; i++) {
		const char *key = c->linux.sysctl.items[i].key;
		int type = oci_sysctl_namespace(key);

		oci_rule_path(path, "linux.sysctl.%s", key);
		if (!oci_sysctl_path(key, file, sizeof file))
			return decoder_fail(d, path, "is not the name of a sysctl");
		if (type == 0)
			return decoder_fail(d, path, "belongs to the host, not to a namespace");
		if (!oci_namespace_find(c, type))
			return decoder_fail(d, path, "needs a namespace of type %s",
					    enum_name(oci_namespace_names, type));
		if (str_equal(file, "kernel/hostname"))
			return decoder_fail(d, path, "is set by the field 'hostname'");
	}
	return NULL;
}

static bool same_device(const struct oci_device *a, const struct oci_device *b)
{
	/* 'u' is what mknod(1) calls 'c'. */
	return (a->type == 'u' ? 'c' : a->type) == (b->type == 'u' ? 'c' : b->type) && a->major == b->major &&
	       a->minor == b->minor;
}

static err *rule_devices(const struct oci_config *c, struct decoder *d)
{
	char path[OCI_PATH_MAX];

	for (size_t i = 0; i < c->linux.devices.count; i++) {
		const struct oci_device *device = &c->linux.devices.items[i];

		if (device->type != 'p' && (device->major < 0 || device->minor < 0))
			return decoder_fail(d, oci_rule_path(path, "linux.devices[%zu]", i),
					    "a device of type '%c' needs major and minor", device->type);
		/* The same one twice is what Docker makes of two --device options: made once. */
		for (size_t k = 0; k < i; k++)
			if (str_equal(device->path, c->linux.devices.items[k].path) &&
			    !same_device(device, &c->linux.devices.items[k]))
				return decoder_fail(d, oci_rule_path(path, "linux.devices[%zu].path", i),
						    "'%.200s' is given twice, as different devices",
						    device->path);
	}
	return NULL;
}

static const char *target(const struct oci_net_device *device)
{
	return device->target_name && *device->target_name ? device->target_name : device->name;
}

static err *rule_net_devices(const struct oci_config *c, struct decoder *d)
{
	char path[OCI_PATH_MAX];

	if (c->linux.net_devices.count && !oci_namespace_find(c, CLONE_NEWNET))
		return decoder_fail(d, "linux.netDevices", "needs a network namespace");
	for (size_t i = 0; i < c->linux.net_devices.count; i++) {
		const struct oci_net_device *device = &c->linux.net_devices.items[i];

		oci_rule_path(path, "linux.netDevices.%s", device->name);
		if (!oci_is_interface_name(device->name))
			return decoder_fail(d, path, "is not the name of a network interface");
		/* "eth%d" is a template, from which each gets a name of its own. */
		for (size_t k = 0; k < i && !strstr(target(device), "%d"); k++)
			if (str_equal(target(device), target(&c->linux.net_devices.items[k])))
				return decoder_fail(d, path, "gets the name '%s', as another does",
						    target(device));
	}
	return NULL;
}

static err *rule_memory_policy(const struct oci_config *c, struct decoder *d)
{
	const struct oci_memory_policy *p = c->linux.memory_policy;
	int flags = 0;

	if (!p)
		return NULL;
	for (size_t i = 0; i < p->flags.count; i++)
		flags |= p->flags.items[i];
	bool nodes = p->nodes && *p->nodes;
	bool takes_nodes = p->mode != MPOL_DEFAULT && p->mode != MPOL_LOCAL;
	const char *mode = enum_name(oci_memory_mode_names, p->mode);
	if (nodes && !takes_nodes)
		return decoder_fail(d, "linux.memoryPolicy.nodes", "%s takes no nodes", mode);
	if (!nodes && takes_nodes && p->mode != MPOL_PREFERRED)
		return decoder_fail(d, "linux.memoryPolicy.nodes", "%s needs nodes", mode);
	if ((flags & MPOL_F_STATIC_NODES) && (flags & MPOL_F_RELATIVE_NODES))
		return decoder_fail(d, "linux.memoryPolicy.flags",
				    "nodes cannot be static and relative at once");
	return NULL;
}

err *oci_rules_linux(const struct oci_config *config, struct decoder *d)
{
	static err *(*const rules[])(const struct oci_config *, struct decoder *) = {
		rule_namespaces, rule_user,    rule_time,        rule_names,
		rule_sysctl,     rule_devices, rule_net_devices, rule_memory_policy,
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		TRY(rules[i](config, d));
	TRY(oci_rules_seccomp(config, d));
	return oci_rules_resources(&config->linux.resources, "linux.resources.", d);
}

/* api/node.c: the tables of a Node. Ref: Kubernetes core/v1 Node, 1.33. */
#include "api/node.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "api/kinds-internal.h"

/* clang-format off */
const struct type t_resource_list = {
	.kind = T_MAP, .name = "object", .size = sizeof(LIST(void)), .item = &t_quantity, .max = 64,
	.value_offset = offsetof(struct resource_amount, amount), .entry_size = sizeof(struct resource_amount),
};

const struct enum_name taint_effect_names[] = {
	{ "NoSchedule", TAINT_NO_SCHEDULE }, { "PreferNoSchedule", TAINT_PREFER_NO_SCHEDULE },
	{ "NoExecute", TAINT_NO_EXECUTE }, {0}
};
static const struct type t_taint_effect = ENUM("taint effect", taint_effect_names);
static const struct field taint_fields[] = {
	FIELD(struct taint, "key",       key,        t_label_key,    REQUIRED, NULL),
	FIELD(struct taint, "value",     value,      t_label_value,  EMPTY_ABSENT, NULL),
	FIELD(struct taint, "effect",    effect,     t_taint_effect, REQUIRED, NULL),
	FIELD(struct taint, "timeAdded", time_added, t_api_time,     0, NULL),
	{0}
};
static const struct type t_taint = OBJECT_STRICT("taint", struct taint, taint_fields);
static const struct type t_taints = ARRAY_OF_MAX(t_taint, 64);
static const struct field spec_fields[] = {
	FIELD(struct node_spec, "unschedulable", unschedulable, t_bool,   OMIT_ZERO, NULL),
	FIELD(struct node_spec, "taints",        taints,        t_taints, 0, NULL),
	NOT_YET("podCIDR", "\"\""),
	NOT_YET("podCIDRs", "[]"),
	NOT_YET("providerID", "\"\""),
	NOT_YET("externalID", "\"\""),
	NOT_YET("configSource", "{}"),
	{0}
};
const struct type t_node_spec = OBJECT_STRICT("spec", struct node_spec, spec_fields);

static const struct field address_fields[] = {
	FIELD(struct node_address, "type",    type,    t_nonempty, REQUIRED, NULL),
	FIELD(struct node_address, "address", address, t_nonempty, REQUIRED, NULL),
	{0}
};
static const struct type t_address = OBJECT_STRICT("address", struct node_address, address_fields);
static const struct type t_addresses = ARRAY_OF_MAX(t_address, 64);
static const struct field info_fields[] = {
	FIELD(struct node_info, "machineID",               machine_id,   t_string, EMPTY_ABSENT, NULL),
	FIELD(struct node_info, "systemUUID",              system_uuid,  t_string, EMPTY_ABSENT, NULL),
	FIELD(struct node_info, "bootID",                  boot_id,      t_string, EMPTY_ABSENT, NULL),
	FIELD(struct node_info, "kernelVersion",           kernel,       t_string, EMPTY_ABSENT, NULL),
	FIELD(struct node_info, "osImage",                 os_image,     t_string, EMPTY_ABSENT, NULL),
	FIELD(struct node_info, "containerRuntimeVersion", runtime,      t_string, EMPTY_ABSENT, NULL),
	FIELD(struct node_info, "kubeletVersion",          agent,        t_string, EMPTY_ABSENT, NULL),
	FIELD(struct node_info, "kubeProxyVersion",        kube_proxy,   t_string, EMPTY_ABSENT, NULL),
	FIELD(struct node_info, "operatingSystem",         os,           t_string, EMPTY_ABSENT, NULL),
	FIELD(struct node_info, "architecture",            architecture, t_string, EMPTY_ABSENT, NULL),
	KNOWN("swap", IGNORED),
	{0}
};
static const struct type t_node_info = OBJECT_STRICT("node info", struct node_info, info_fields);
static const struct field image_fields[] = {
	FIELD(struct node_image, "names",     names, t_strings, 0, NULL),
	FIELD(struct node_image, "sizeBytes", size,  t_i64,     OMIT_ZERO, NULL),
	{0}
};
static const struct type t_image = OBJECT_STRICT("image", struct node_image, image_fields);
static const struct type t_images = ARRAY_OF_MAX(t_image, 4096);

static const struct field endpoint_fields[] = { INNER(uint16_t, "Port", t_u16, REQUIRED), {0} };
static const struct type t_endpoint = INNER_OBJECT("endpoint", uint16_t, endpoint_fields);
static const struct field endpoints_fields[] = { INNER(uint16_t, "kubeletEndpoint", t_endpoint, OMIT_ZERO), {0} };
static const struct type t_endpoints = INNER_OBJECT("endpoints", uint16_t, endpoints_fields);

static const struct field status_fields[] = {
	FIELD(struct node_status, "capacity",        capacity,    t_resource_list, 0, NULL),
	FIELD(struct node_status, "allocatable",     allocatable, t_resource_list, 0, NULL),
	FIELD(struct node_status, "conditions",      conditions,  t_conditions,    0, NULL),
	FIELD(struct node_status, "addresses",       addresses,   t_addresses,     0, NULL),
	FIELD(struct node_status, "daemonEndpoints", agent_port,  t_endpoints,     OMIT_ZERO, NULL),
	FIELD(struct node_status, "nodeInfo",        info,        t_node_info,     OMIT_ZERO, NULL),
	FIELD(struct node_status, "images",          images,      t_images,        0, NULL),
	KNOWN("phase", IGNORED), KNOWN("volumesInUse", IGNORED), KNOWN("volumesAttached", IGNORED),
	KNOWN("config", IGNORED), KNOWN("runtimeHandlers", IGNORED), KNOWN("features", IGNORED),
	KNOWN("declaredFeatures", IGNORED),
	{0}
};
const struct type t_node_status = OBJECT_STRICT("status", struct node_status, status_fields);

static const struct field node_fields[] = {
	OBJECT_FIELDS(struct node),
	FIELD(struct node, "spec",   spec,   t_node_spec,   OMIT_ZERO, NULL),
	FIELD(struct node, "status", status, t_node_status, OMIT_ZERO, NULL),
	{0}
};
const struct type t_node = OBJECT_STRICT("Node", struct node, node_fields);
/* clang-format on */

static err *check_own(const void *document, struct decoder *d)
{
	return meta_check_own(d, "metadata", &((const struct node *)document)->metadata);
}

static err *check_taints(const void *document, struct decoder *d)
{
	const struct node_spec *spec = &((const struct node *)document)->spec;
	char path[64];

	for (size_t i = 0; i < spec->taints.count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct taint *a = &spec->taints.items[i], *b = &spec->taints.items[j];
			if (a->effect != b->effect || !str_equal(a->key, b->key))
				continue;
			snprintf(path, sizeof(path), "spec.taints[%zu]", i);
			return decoder_fail(d, path, "there is another taint '%s' of this effect", a->key);
		}
	return NULL;
}

/* Clients are led there: what is neither an IP address nor a host name could lead them to another path. */
static bool is_host(const char *text)
{
	unsigned char ip[sizeof(struct in6_addr)];
	char last = '.';

	if (inet_pton(AF_INET, text, ip) == 1 || inet_pton(AF_INET6, text, ip) == 1)
		return true;
	for (size_t i = 0; text[i]; i++) {
		if (i == 253 || (!isalnum((unsigned char)text[i]) && text[i] != '-' && (text[i] != '.' || last == '.')))
			return false;
		last = text[i];
	}
	return last != '.';
}

static err *check_addresses(const void *document, struct decoder *d)
{
	const struct node_status *status = &((const struct node *)document)->status;
	char path[64];

	for (size_t i = 0; i < status->addresses.count; i++) {
		if (is_host(status->addresses.items[i].address))
			continue;
		snprintf(path, sizeof(path), "status.addresses[%zu]", i);
		return rule_fail(d, path, "address", status->addresses.items[i].address, "is neither an IP address nor a host name");
	}
	return NULL;
}

const struct rule node_rules[] = {
	{ "metadata is well-formed", object_check_metadata },
	{ "labels of Stube are well-formed", check_own },
	{ "taints are told once", check_taints },
	{ "addresses are addresses", check_addresses },
	{ 0 },
};

struct quantity resource_get(const struct resource_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_equal(list->items[i].name, name))
			return list->items[i].amount;
	return (struct quantity){ 0 };
}

bool node_is_ready(const struct node *node)
{
	const struct condition *ready = condition_find(&node->status.conditions, "Ready");

	return ready && ready->status == CONDITION_TRUE;
}

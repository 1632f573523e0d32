/* agent/observe.c: what this machine has and is, for its Node. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/node-internal.h"
#include "agent/place.h"
#include "agent/reserve.h"
#include "base/cli.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"

/* Thresholds of the pressure conditions. */
#define MEMORY_FREE_MIN	 (100ll << 20)
#define STORAGE_FREE_MIN (10ll << 30) /* or a twentieth of the file system, where that is less */
#define TASKS_FREE_PART	 10	      /* a tenth of what the kernel allows */
#define MAX_PODS_DEFAULT 110

unsigned observe_count_cpus(const char *list)
{
	unsigned count = 0;

	while (list && *list) {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;
		if (end == list)
			break;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (last < first || last - first > 65535)
			break;
		count += (unsigned)(last - first) + 1;
		list = *end == ',' ? end + 1 : NULL;
	}
	return count;
}

/* The rest of the line that begins with `key`. */
static const char *line_of(const char *text, const char *key)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (str_starts_with(line, key))
			return line + strlen(key);
	}
	return NULL;
}

bool observe_meminfo(const char *text, const char *key, int64_t *ret)
{
	const char *value = line_of(text, key);
	unsigned long long kib;

	if (!value || sscanf(value, ": %llu kB", &kib) != 1 || kib > (1ull << 43))
		return false;
	*ret = (int64_t)kib * 1024;
	return true;
}

bool observe_assignment(const char *text, const char *key, char *out, size_t size)
{
	const char *value = line_of(text, key);
	size_t len = 0;

	if (!value || *value++ != '=')
		return false;
	char quote = *value == '"' || *value == '\'' ? *value++ : '\n';
	for (; *value && *value != quote && *value != '\n' && len + 1 < size; value++) {
		if (quote == '"' && *value == '\\' && value[1])
			value++;
		out[len++] = *value;
	}
	out[len] = '\0';
	return true;
}

/* One line of a file below the root, or "" where there is none. */
static err *read_line(struct arena *arena, int root_fd, const char *path, const char **ret)
{
	auto_str struct str text = STR_INIT(4096);

	IGNORE(file_read(root_fd, path, &text));
	TRY_ALLOC(arena, *ret, arena_strndup(arena, text.data, strcspn(text.data, "\n")));
	return NULL;
}

static err *read_memory(int root_fd, struct machine *m)
{
	auto_str struct str text = STR_INIT(64 * 1024);

	TRY(file_read(root_fd, "proc/meminfo", &text));
	if (!observe_meminfo(text.data, "MemTotal", &m->memory))
		return err_new(EINVAL, "/proc/meminfo has no MemTotal");
	if (!observe_meminfo(text.data, "MemAvailable", &m->memory_free))
		m->memory_free = m->memory;
	return NULL;
}

static int64_t read_number(struct arena *arena, int root_fd, const char *path, int64_t otherwise)
{
	const char *text = "";
	int64_t number;

	IGNORE(read_line(arena, root_fd, path, &text));
	return str_to_i64(text, &number) && number > 0 ? number : otherwise;
}

/* "0.20 0.18 0.12 1/302 4711": the number behind the slash. */
static void read_tasks(struct arena *arena, int root_fd, struct machine *m)
{
	const char *load = "";

	IGNORE(read_line(arena, root_fd, "proc/loadavg", &load));
	const char *slash = strchr(load, '/');
	m->tasks = slash ? (int64_t)strtoull(slash + 1, NULL, 10) : 0;
	m->tasks_max = MIN(read_number(arena, root_fd, "proc/sys/kernel/pid_max", INT32_MAX),
			   read_number(arena, root_fd, "proc/sys/kernel/threads-max", INT32_MAX));
}

static err *read_os(struct arena *arena, int root_fd, struct machine *m)
{
	static const char *const places[] = { "etc/os-release", "usr/lib/os-release" };
	char name[256] = "Linux";

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		auto_str struct str text = STR_INIT(64 * 1024);
		err *e = file_read(root_fd, places[i], &text);
		bool found = !e && observe_assignment(text.data, "PRETTY_NAME", name, sizeof(name));
		err_free(e);
		if (found)
			break;
	}
	TRY_ALLOC(arena, m->os_image, arena_strdup(arena, name));
	return NULL;
}

static const char *architecture(const char *machine)
{
	static const struct {
		const char *kernel, *api;
	} names[] = {
		{ "x86_64", "amd64" },
		{ "aarch64", "arm64" },
		{ "armv7l", "arm" },
		{ "i686", "386" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_equal(names[i].kernel, machine))
			return names[i].api;
	return machine;
}

err *machine_read(struct arena *arena, int root_fd, const char *data, struct machine *ret)
{
	auto_str struct str place = STR_INIT(4096);
	struct machine m = { 0 };
	struct utsname host;
	struct statvfs fs;
	const char *cpus;

	if (uname(&host) < 0)
		return err_errno("ask for the kernel's version");
	TRY_ALLOC(arena, m.hostname, arena_strdup(arena, host.nodename));
	TRY_ALLOC(arena, m.kernel, arena_strdup(arena, host.release));
	TRY_ALLOC(arena, m.architecture, arena_strdup(arena, architecture(host.machine)));
	TRY(read_line(arena, root_fd, "sys/devices/system/cpu/online", &cpus));
	m.cpus = MAX(observe_count_cpus(cpus), 1u);
	TRY(read_memory(root_fd, &m));
	read_tasks(arena, root_fd, &m);
	TRY(read_os(arena, root_fd, &m));
	TRY(read_line(arena, root_fd, "proc/sys/kernel/random/boot_id", &m.boot_id));
	TRY(read_line(arena, root_fd, "etc/machine-id", &m.machine_id));
	/* The folder is made by the first Pod; its nearest ancestor that exists tells. */
	str_add(&place, data);
	while (statvfs(place.data, &fs) < 0) {
		char *slash = strrchr(place.data, '/');
		if (errno != ENOENT || !slash || slash == place.data)
			return err_errno("ask for the space of '%s'", data);
		*slash = '\0';
	}
	m.storage = (int64_t)(fs.f_blocks * fs.f_frsize);
	m.storage_free = (int64_t)(fs.f_bavail * fs.f_frsize);
	*ret = m;
	return NULL;
}

/* ---- as a Node ---- */

static err *add_pair(struct arena *arena, struct string_map *map, const char *key, const char *value)
{
	struct string_pair *items;

	for (size_t i = 0; i < map->count; i++)
		if (str_equal(map->items[i].key, key)) {
			map->items[i].value = value;
			return NULL;
		}
	TRY_ALLOC(arena, items, arena_array(arena, map->count + 1, sizeof(*items)));
	if (map->count > 0)
		memcpy(items, map->items, map->count * sizeof(*items));
	items[map->count] = (struct string_pair){ key, value };
	map->items = items;
	map->count++;
	return NULL;
}

static err *set_labels(struct arena *arena, const struct machine *m, const struct node_options *o,
		       struct node *n)
{
	struct string_map *labels = &n->metadata.labels;

	TRY(add_pair(arena, labels, LABEL_HOSTNAME, n->metadata.name));
	TRY(add_pair(arena, labels, LABEL_OS, "linux"));
	TRY(add_pair(arena, labels, LABEL_ARCH, m->architecture));
	for (const char *const *l = o->labels; l && *l; l++) {
		const char *equals = strchr(*l, '=');
		char *key;
		if (!equals)
			return err_new(EINVAL, "label '%s': expected KEY=VALUE", *l);
		TRY_ALLOC(arena, key, arena_strndup(arena, *l, (size_t)(equals - *l)));
		if (!meta_is_label_key(key) || !meta_is_label_value(equals + 1))
			return err_new(EINVAL, "label '%s' is not one that objects may have", *l);
		TRY(add_pair(arena, labels, key, equals + 1));
	}
	return NULL;
}

/* "KEY=VALUE:EFFECT" or "KEY:EFFECT". */
static err *parse_taint(struct arena *arena, const char *text, struct taint *ret)
{
	static const struct enum_name effects[] = {
		{ "NoSchedule", TAINT_NO_SCHEDULE },
		{ "PreferNoSchedule", TAINT_PREFER_NO_SCHEDULE },
		{ "NoExecute", TAINT_NO_EXECUTE },
		{ 0 },
	};
	const char *colon = strrchr(text, ':');
	char *key;

	int effect = colon ? enum_value(effects, colon + 1) : -1;
	if (effect < 0)
		return err_new(EINVAL, "taint '%s': expected KEY=VALUE:EFFECT with the effect NoSchedule, "
				       "PreferNoSchedule or NoExecute", text);
	TRY_ALLOC(arena, key, arena_strndup(arena, text, (size_t)(colon - text)));
	char *equals = strchr(key, '=');
	if (equals)
		*equals = '\0';
	*ret = (struct taint){ .key = key, .value = equals ? equals + 1 : "", .effect = effect };
	if (!meta_is_label_key(ret->key) || !meta_is_label_value(ret->value))
		return err_new(EINVAL, "taint '%s': key and value are written as those of labels", text);
	return NULL;
}

static err *set_taints(struct arena *arena, const struct node_options *o, struct node *n)
{
	size_t count = 0;

	while (o->taints && o->taints[count])
		count++;
	TRY_ALLOC(arena, n->spec.taints.items, arena_array(arena, count, sizeof(*n->spec.taints.items)));
	n->spec.taints.count = count;
	for (size_t i = 0; i < count; i++)
		TRY(parse_taint(arena, o->taints[i], &n->spec.taints.items[i]));
	return NULL;
}

static struct quantity amount(int64_t units, int64_t scale)
{
	return (struct quantity){ .milli = MIN(MAX(units, 0), INT64_MAX / scale) * scale, .given = true };
}

static err *set_resources(struct arena *arena, const struct machine *m, const struct node_options *o,
			  struct node *n)
{
	int64_t pods = o->max_pods > 0 ? o->max_pods : MAX_PODS_DEFAULT, cpu = (int64_t)m->cpus * 1000;
	const struct resource_amount has[] = {
		{ "cpu", amount(cpu, 1) },
		{ "ephemeral-storage", amount(m->storage, 1000) },
		{ "memory", amount(m->memory, 1000) },
		{ "pods", amount(pods, 1000) },
	};
	struct resource_list *lists[] = { &n->status.capacity, &n->status.allocatable };
	struct reserve r = { o->reserve_cpu, o->reserve_memory };

	TRY(reserve_decide(m->cpus, m->memory, &r));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		TRY_ALLOC(arena, lists[i]->items, arena_array(arena, ARRAY_LEN(has), sizeof(has[0])));
		memcpy(lists[i]->items, has, sizeof(has));
		lists[i]->count = ARRAY_LEN(has);
	}
	n->status.allocatable.items[0].amount = amount(cpu - r.cpu, 1);
	n->status.allocatable.items[2].amount = amount(m->memory - r.memory, 1000);
	return NULL;
}

static err *set_condition(struct arena *arena, struct node *n, const char *type, bool is, const char *reason,
			  const char *message)
{
	int64_t now = clock_real();
	struct condition c = {
		.type = type,
		.status = is ? CONDITION_TRUE : CONDITION_FALSE,
		.heartbeat = { now },
		.transition = { now },
		.reason = reason,
		.message = message,
	};

	return condition_set(arena, &n->status.conditions, &c);
}

static err *set_conditions(struct arena *arena, const struct machine *m, struct node *n)
{
	int64_t storage_min = MIN(STORAGE_FREE_MIN, m->storage / 20);
	/* clang-format off */
	const struct {
		const char *type;
		bool is;
		const char *reasons[2], *messages[2]; /* when it is not, when it is */
	} rows[] = {
		{ "MemoryPressure", m->memory_free < MEMORY_FREE_MIN,
		  { "KubeletHasSufficientMemory", "KubeletHasInsufficientMemory" },
		  { "memory is available", "less than 100 MiB of memory are available" } },
		{ "DiskPressure", m->storage_free < storage_min,
		  { "KubeletHasNoDiskPressure", "KubeletHasDiskPressure" },
		  { "space is available", "the disk of the agent's data is nearly full" } },
		{ "PIDPressure", m->tasks_max > 0 && m->tasks > m->tasks_max - m->tasks_max / TASKS_FREE_PART,
		  { "KubeletHasSufficientPID", "KubeletHasInsufficientPID" },
		  { "processes can be started", "nine tenths of the processes that the kernel allows are in use" } },
		{ "Ready", true, { "", "KubeletReady" }, { "", "the agent serves" } },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		TRY(set_condition(arena, n, rows[i].type, rows[i].is, rows[i].reasons[rows[i].is],
				  rows[i].messages[rows[i].is]));
	return NULL;
}

static err *set_addresses(struct arena *arena, const char *address, struct node *n)
{
	size_t count = 0;

	TRY_ALLOC(arena, n->status.addresses.items,
		  arena_array(arena, 2, sizeof(*n->status.addresses.items)));
	if (address && *address)
		n->status.addresses.items[count++] = (struct node_address){ "InternalIP", address };
	n->status.addresses.items[count++] = (struct node_address){ "Hostname", n->metadata.name };
	n->status.addresses.count = count;
	return NULL;
}

err *machine_node(struct arena *arena, const struct machine *m, const struct node_options *o,
		  const char *address, struct node *n)
{
	struct object *object;
	char supported[64];
	char *text;

	TRY(object_new(arena, &kinds[KIND_NODE], &object));
	*n = *(struct node *)object;
	n->metadata.name = o->name ? o->name : m->hostname;
	TRY(set_labels(arena, m, o, n));
	TRY_ALLOC(arena, text, arena_strdup(arena, observe_supported(supported)));
	TRY(add_pair(arena, &n->metadata.annotations, NODE_SUPPORTED, text));
	TRY(set_taints(arena, o, n));
	TRY(set_resources(arena, m, o, n));
	TRY(set_conditions(arena, m, n));
	TRY(set_addresses(arena, address, n));
	TRY_ALLOC(arena, text, arena_printf(arena, "stube-runtime://%s", stube_version));
	n->status.info = (struct node_info){
		.machine_id = m->machine_id,
		.boot_id = m->boot_id,
		.kernel = m->kernel,
		.os_image = m->os_image,
		.os = "linux",
		.architecture = m->architecture,
		.runtime = text,
		.agent = stube_version,
	};
	return NULL;
}

static err *observe_machine(struct arena *arena, struct machine *ret)
{
	auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_str struct str data = STR_INIT(4096);

	if (root < 0)
		return err_errno("open '/'");
	TRY(place_data(&data));
	return machine_read(arena, root, data.data, ret);
}

static err *reserve_of(const struct node_options *options, struct machine *m, struct reserve *ret)
{
	auto_arena struct arena *arena = NULL;

	TRY(arena_new(1 << 20, &arena));
	TRY(observe_machine(arena, m));
	*ret = (struct reserve){ options->reserve_cpu, options->reserve_memory };
	return reserve_decide(m->cpus, m->memory, ret);
}

err *node_reserve(const struct node_options *options, struct reserve *ret)
{
	struct machine m;

	return reserve_of(options, &m, ret);
}

err *node_share(const struct node_options *options, struct slice_values *ret)
{
	struct reserve r;
	struct machine m;

	TRY(reserve_of(options, &m, &r));
	reserve_share(m.cpus, m.memory, m.tasks_max, &r, ret);
	return NULL;
}

err *node_observe(struct arena *arena, const struct node_options *options, struct node *ret)
{
	char found[INET6_ADDRSTRLEN] = "";
	char *address = NULL;
	struct machine m;

	TRY(observe_machine(arena, &m));
	if (options->address || observe_address(options->api.server, found, sizeof(found)))
		TRY_ALLOC(arena, address, arena_strdup(arena, options->address ? options->address : found));
	return machine_node(arena, &m, options, address, ret);
}

/* ---- addresses ---- */

/* Where packets to there would leave: connect(2) of a datagram socket sends nothing. */
static bool address_towards(const struct sockaddr *to, socklen_t len, char *out, size_t size)
{
	auto_close int sock = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage own;
	socklen_t own_len = sizeof(own);

	if (sock < 0 || connect(sock, to, len) < 0 ||
	    getsockname(sock, (struct sockaddr *)&own, &own_len) < 0)
		return false;
	return getnameinfo((struct sockaddr *)&own, own_len, out, (socklen_t)size, NULL, 0, NI_NUMERICHOST) ==
	       0;
}

/* "https://HOST:PORT", "https://[HOST]:PORT"; unchanged for others, such as Unix sockets. */
static void host_of(const char *server, char *host, size_t size)
{
	if (!server || !str_starts_with(server, "https://"))
		return;
	server += strlen("https://");
	bool brackets = *server == '[';
	size_t len = strcspn(server + brackets, brackets ? "]" : ":/");
	if (len > 0 && len < size)
		snprintf(host, size, "%.*s", (int)len, server + brackets);
}

bool observe_address(const char *server, char *out, size_t size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list = NULL;
	char host[256] = "192.0.2.1"; /* an example's: it stands for "anywhere" */

	host_of(server, host, sizeof(host));
	if (getaddrinfo(host, "9", &hints, &list) != 0)
		return false;
	bool found = false;
	for (struct addrinfo *a = list; a && !found; a = a->ai_next)
		found = address_towards(a->ai_addr, a->ai_addrlen, out, size);
	freeaddrinfo(list);
	return found;
}

/* ---- what we implement ---- */

static void hash_text(uint64_t *hash, const char *text)
{
	for (; text && *text; text++)
		*hash = (*hash ^ (uint8_t)*text) * 1099511628211ull;
	*hash *= 1099511628211ull;
}

/* FNV-1a over the names of all fields that a table accepts. The tables are no cycle; their depth is bounded
 * anyway. */
static void hash_type(uint64_t *hash, const struct type *type, unsigned depth)
{
	for (; type && type->item; type = type->item)
		hash_text(hash, type->name);
	for (const struct field *f = type && depth > 0 ? type->fields : NULL; f && f->key; f++) {
		if (f->flags & (UNSUPPORTED | IGNORED))
			continue;
		hash_text(hash, f->key);
		hash_type(hash, f->type, depth - 1);
	}
}

const char *observe_supported(char out[static 64])
{
	uint64_t hash = 14695981039346656037ull;

	hash_type(&hash, kinds[KIND_POD].spec_type, 16);
	snprintf(out, 64, "%s %016llx", stube_version, (unsigned long long)hash);
	return out;
}

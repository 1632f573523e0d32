/* runtime/spec.c: a default bundle configuration, by table. */
#include "runtime/spec.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "oci/config.h"

#define LIST_OF(array) { (array), ARRAY_LEN(array) }
/* A list of words as a value; the encoder only reads them. */
#define WORDS(...) { (const char *[]){ __VA_ARGS__ }, ARRAY_LEN(((const char *[]){ __VA_ARGS__ })) }

static int capabilities[] = { CAP_AUDIT_WRITE, CAP_KILL, CAP_NET_BIND_SERVICE };
static const struct oci_capabilities capability_sets = {
	.bounding = LIST_OF(capabilities),
	.effective = LIST_OF(capabilities),
	.permitted = LIST_OF(capabilities),
};
static struct oci_rlimit rlimits[] = { { .type = RLIMIT_NOFILE, .hard = 1024, .soft = 1024 } };

static const struct oci_process process = {
	.terminal = true,
	.args = WORDS("sh"),
	.env = WORDS("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"),
	.cwd = "/",
	.capabilities = &capability_sets,
	.rlimits = LIST_OF(rlimits),
	.no_new_privileges = true,
};
static const struct oci_root root = { .path = "rootfs", .readonly = true };

/* clang-format off */
static struct oci_mount mounts[] = {
	{ .destination = "/proc",          .type = "proc",   .source = "proc" },
	{ .destination = "/dev",           .type = "tmpfs",  .source = "tmpfs",
	  .options = WORDS("nosuid", "strictatime", "mode=755", "size=65536k") },
	{ .destination = "/dev/pts",       .type = "devpts", .source = "devpts",
	  .options = WORDS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5") },
	{ .destination = "/dev/shm",       .type = "tmpfs",  .source = "shm",
	  .options = WORDS("nosuid", "noexec", "nodev", "mode=1777", "size=65536k") },
	{ .destination = "/dev/mqueue",    .type = "mqueue", .source = "mqueue",
	  .options = WORDS("nosuid", "noexec", "nodev") },
	{ .destination = "/sys",           .type = "sysfs",  .source = "sysfs",
	  .options = WORDS("nosuid", "noexec", "nodev", "ro") },
	{ .destination = "/sys/fs/cgroup", .type = "cgroup", .source = "cgroup",
	  .options = WORDS("nosuid", "noexec", "nodev", "relatime", "ro") },
};
/* The same for one user: group 5 is not mapped, and sysfs belongs to the network namespace's owner. */
static struct oci_mount rootless_mounts[] = {
	{ .destination = "/proc",          .type = "proc",   .source = "proc" },
	{ .destination = "/dev",           .type = "tmpfs",  .source = "tmpfs",
	  .options = WORDS("nosuid", "strictatime", "mode=755", "size=65536k") },
	{ .destination = "/dev/pts",       .type = "devpts", .source = "devpts",
	  .options = WORDS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620") },
	{ .destination = "/dev/shm",       .type = "tmpfs",  .source = "shm",
	  .options = WORDS("nosuid", "noexec", "nodev", "mode=1777", "size=65536k") },
	{ .destination = "/dev/mqueue",    .type = "mqueue", .source = "mqueue",
	  .options = WORDS("nosuid", "noexec", "nodev") },
	{ .destination = "/sys",           .type = "none",   .source = "/sys",
	  .options = WORDS("rbind", "nosuid", "noexec", "nodev", "rro") },
	{ .destination = "/sys/fs/cgroup", .type = "cgroup", .source = "cgroup",
	  .options = WORDS("nosuid", "noexec", "nodev", "relatime", "ro") },
};

static struct oci_namespace namespaces[] = {
	{ .type = CLONE_NEWPID }, { .type = CLONE_NEWNET }, { .type = CLONE_NEWIPC }, { .type = CLONE_NEWUTS },
	{ .type = CLONE_NEWNS },  { .type = CLONE_NEWCGROUP },
};
static struct oci_namespace rootless_namespaces[] = {
	{ .type = CLONE_NEWPID }, { .type = CLONE_NEWIPC },    { .type = CLONE_NEWUTS },
	{ .type = CLONE_NEWNS },  { .type = CLONE_NEWCGROUP }, { .type = CLONE_NEWUSER },
};
/* clang-format on */

static struct oci_device_rule device_rules[] = { { .allow = false, .type = 'a', .access = "rwm" } };

static const struct oci_config defaults = {
	.version = OCI_VERSION_BUNDLE,
	.process = &process,
	.root = &root,
	.hostname = "stube",
	.mounts = LIST_OF(mounts),
	.linux = {
		.namespaces = LIST_OF(namespaces),
		.resources = { .devices = LIST_OF(device_rules) },
		.masked_paths = WORDS("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
				      "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
				      "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"),
		.readonly_paths = WORDS("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"),
	},
};

err *spec_write(bool rootless, struct str *out)
{
	struct oci_config c = defaults;
	struct oci_id_mapping user = { .host_id = geteuid(), .size = 1 };
	struct oci_id_mapping group = { .host_id = getegid(), .size = 1 };

	if (rootless) {
		c.mounts.items = rootless_mounts;
		c.mounts.count = ARRAY_LEN(rootless_mounts);
		c.linux.namespaces.items = rootless_namespaces;
		c.linux.namespaces.count = ARRAY_LEN(rootless_namespaces);
		c.linux.uid_mappings = (struct oci_id_mappings){ &user, 1 };
		c.linux.gid_mappings = (struct oci_id_mappings){ &group, 1 };
		c.linux.resources = (struct oci_resources){ 0 };
	}
	oci_config_encode(out, &c, 4);
	str_add_char(out, '\n');
	return str_check(out);
}

/* runtime/net-devices.h: network devices of the host that move into the container.
 * Spec: runtime-spec 1.3, config-linux.md, "Network Devices". Kernel: rtnetlink(7), network_namespaces(7).
 *
 * The runtime moves them, not the child: the rights over a device are rights in the host's network namespace.
 * What happens at the container's end is the kernel's doing, as the specification wants: a physical device
 * goes back to the machine's first namespace, a virtual one ends with the container's. */
#pragma once
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "oci/config.h"

/* Both sides of a move that can still be taken back; holds the container's network namespace. */
struct net_devices {
	int host, inside;		      /* routing sockets of the two namespaces */
	int host_ns;			      /* where devices come from */
	const struct oci_net_device *devices; /* borrowed */
	const char **names;		      /* what each is called inside, in the arena */
	size_t moved;
};
#define NET_DEVICES_INIT                                \
	{                                               \
		.host = -1, .inside = -1, .host_ns = -1 \
	}
void net_devices_done(struct net_devices *d);

/* Move every device of linux.netDevices into the network namespace of process `pid`, renamed where a name is
 * given ("eth%d": the first free number), with its permanent global addresses, and set it up.
 *   proc_fd  the runtime's own /proc; borrowed
 * Runs in the parent once the child's namespaces exist. Whatever fails takes back what was moved before.
 * Errors name "linux.netDevices.NAME": ENODEV no such device, EEXIST the name is taken inside, EPERM. */
err *net_devices_move(struct arena *arena, const struct oci_config *config, int proc_fd, pid_t pid,
		      struct net_devices *ret) MUST_CHECK;

/* Give back what was moved, to its name and addresses, when the start fails later. */
void net_devices_return(struct net_devices *d);

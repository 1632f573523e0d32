/* images/erofs-format.h: the part of EROFS' on-disk format that an index uses; all numbers little endian.
 * Spec: https://erofs.docs.kernel.org/en/latest/ondisk/, fs/erofs/erofs_fs.h of Linux. */
#pragma once
#include <endian.h>
#include <stdint.h>

#define EROFS_MAGIC        0xe0f5e1e2u
#define EROFS_SUPER_OFFSET 1024u
#define EROFS_SLOT         32u /* inodes lie at multiples of this; their number is the offset in slots */

/* 512 bytes, because that is how a tar aligns its data. */
#define EROFS_BLOCK_BITS 9
#define EROFS_BLOCK      (1u << EROFS_BLOCK_BITS)
#define EROFS_HOLE       0xffffffffu /* block address of a chunk without data */

enum {
	EROFS_COMPAT_MTIME = 0x2,   /* inode times are modification times */
	EROFS_INCOMPAT_CHUNKED = 0x4,
	EROFS_INCOMPAT_DEVICES = 0x8,
};

struct erofs_super {
	uint32_t magic, checksum, feature_compat;
	uint8_t block_bits, ext_slots;
	uint16_t root_nid;
	uint64_t inodes;
	uint64_t build_time;
	uint32_t build_nsec;
	uint32_t blocks;
	uint32_t meta_block, xattr_block;
	uint8_t uuid[16], volume[16];
	uint32_t feature_incompat;
	uint16_t compression;
	uint16_t extra_devices;
	uint16_t devices_slot; /* in units of struct erofs_device */
	uint8_t dir_block_bits, xattr_prefixes;
	uint32_t xattr_prefix_start;
	uint64_t packed_nid;
	uint8_t xattr_filter, reserved[23];
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_super) == 128, "EROFS super block");

struct erofs_device {
	uint8_t tag[64];
	uint32_t blocks, mapped_block;
	uint8_t reserved[56];
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_device) == 128, "EROFS device slot");

/* Layouts, in bits 1 to 3 of an inode's format; bit 0 says "extended". */
enum {
	EROFS_FLAT_PLAIN = 0,  /* data in blocks from u on */
	EROFS_FLAT_INLINE = 2, /* the same, but the last, partial block follows the inode */
	EROFS_CHUNKED = 4,     /* a table of equally large chunks follows the inode */
};
#define EROFS_FORMAT(layout) (1u | (unsigned)(layout) << 1)

struct erofs_inode {
	uint16_t format, xattr_count, mode, reserved;
	uint64_t size;
	uint32_t u; /* first block; device number; or chunk format */
	uint32_t ino, uid, gid;
	uint64_t mtime;
	uint32_t mtime_nsec, nlink;
	uint8_t reserved2[16];
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_inode) == 64, "EROFS extended inode");

/* Chunk format: the chunk's size in blocks, as a power of 2, and "entries have 8 bytes". */
#define EROFS_CHUNK_BITS_MAX 31u
#define EROFS_CHUNK_INDEXES  0x20u

struct erofs_chunk {
	uint16_t advise, device;
	uint32_t block;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_chunk) == 8, "EROFS chunk index");

/* Before the attributes that follow an inode; xattr_count is 1 for it plus 1 per 4 bytes of them. */
struct erofs_xattr_header {
	uint32_t filter; /* bits of absent names; 0: no statement */
	uint8_t shared, reserved[7];
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_xattr_header) == 12, "EROFS xattr header");

enum {
	EROFS_XATTR_USER = 1,
	EROFS_XATTR_ACL_ACCESS = 2,
	EROFS_XATTR_ACL_DEFAULT = 3,
	EROFS_XATTR_TRUSTED = 4,
	EROFS_XATTR_SECURITY = 6,
};

struct erofs_xattr {
	uint8_t name_len, index;
	uint16_t value_size;
} __attribute__((packed));

/* At a directory block's start; the names follow the last one. */
struct erofs_dirent {
	uint64_t nid;
	uint16_t name_offset;
	uint8_t type, reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_dirent) == 12, "EROFS directory entry");

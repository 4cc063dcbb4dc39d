"""Which disks are a network's, by what Linux tells of a machine's mounts."""

import pytest

from rerank_cli.core.network_disk import file_system, on_network_disk

MOUNTS = rb"""21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:20 / /proc rw - proc proc rw
30 21 0:40 /export/home /home rw,relatime shared:5 - nfs4 server:/export/home rw,vers=4.2
31 21 0:41 / /home/me/local\040disk rw - xfs /dev/sdb1 rw
32 21 0:42 / /scratch rw - lustre mds:/scratch rw
33 21 0:43 / /mnt rw - ext4 /dev/sdc1 rw
34 33 0:44 / /mnt rw - fuse.sshfs me@host: rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b"/", "ext4"),
        (b"/var/cache", "ext4"),
        (b"/homework", "ext4"),
        (b"/home", "nfs4"),
        (b"/home/me/.cache/rerank", "nfs4"),
        (b"/home/me/local disk/rerank", "xfs"),
        (b"/scratch/rerank", "lustre"),
        (b"/mnt/x", "fuse.sshfs"),
    ],
)
def test_the_nearest_mount_counts_and_of_two_at_a_place_the_later(path, kind):
    assert file_system(path, MOUNTS) == kind


def test_a_folder_that_is_not_there_yet_is_told_of(tmp_path):
    assert on_network_disk(tmp_path / "none" / "such") == on_network_disk(tmp_path)

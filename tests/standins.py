"""Stand-ins for the files that some ManiSkill tasks download: boxes, in the layout and with the names of the real ones.

Sizes, scales and densities of the objects, and the xArm's arm, are those of the real files; the rest is made up.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

# Half extents in metres before scaling, and scale.
YCB = {
    "005_tomato_soup_can": (0.03457, 0.03457, 0.05126, 1),
    "011_banana": (0.03520, 0.09939, 0.01887, 1),
    "013_apple": (0.03794, 0.03794, 0.03613, 1),
    "016_pear": (0.03422, 0.04807, 0.03295, 1),
    "017_orange": (0.03651, 0.03690, 0.03638, 1),
    "025_mug": (0.05349, 0.04745, 0.04073, 1),
    "026_sponge": (0.04052, 0.05611, 0.01018, 1),
    "030_fork": (0.09917, 0.01342, 0.00813, 1),
    "031_spoon": (0.09841, 0.02149, 0.01056, 1),
    "032_knife": (0.10752, 0.01017, 0.00802, 1),
    "037_scissors": (0.04466, 0.09977, 0.00799, 1),
    "044_flat_screwdriver": (0.10864, 0.01798, 0.01756, 1),
    "048_hammer": (0.06435, 0.16896, 0.01673, 1),
    "053_mini_soccer_ball": (0.06442, 0.06392, 0.06223, 0.5),
    "055_baseball": (0.03702, 0.03677, 0.03693, 1),
    "056_tennis_ball": (0.03386, 0.03399, 0.03326, 1),
    "058_golf_ball": (0.02171, 0.02171, 0.02127, 1),
    "065-a_cups": (0.02969, 0.02938, 0.03154, 1),
    "077_rubiks_cube": (0.02959, 0.03018, 0.02914, 1),
}
#: Listed in the metadata, like the many real objects that no task uses, but without any file.
ABSENT = "037_scissors"

# Corners of a box, as bits of x, y, z, around each of its twelve outward triangles.
_TRIANGLES = [(0, 3, 2), (0, 1, 3), (4, 7, 5), (4, 6, 7), (0, 5, 1), (0, 4, 5)]
_TRIANGLES += [(2, 7, 6), (2, 3, 7), (0, 6, 4), (0, 2, 6), (1, 7, 3), (1, 5, 7)]


def write_all(data: Path) -> None:
    """Writes the stand-ins for all assets into a data folder."""
    write_ycb(data / "assets" / "mani_skill2_ycb")
    _write(data / "robots" / "xarm6" / "xarm6_robotiq.urdf", xarm6())
    _write(data / "robots" / "anymal_c" / "urdf" / "anymal.urdf", anymal_c())


def write_ycb(folder: Path) -> None:
    metadata = {}
    for name, (x, y, z, scale) in YCB.items():
        metadata[name] = {"bbox": {"min": [-x, -y, -z], "max": [x, y, z]}, "scales": [scale], "density": 1000}
        if name != ABSENT:
            _write(folder / "models" / name / "collision.ply", _ply(x, y, z))
            _write(folder / "models" / name / "textured.obj", _obj(x, y, z))
    _write(folder / "info_pick_v0.json", json.dumps(metadata))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _corners(x: float, y: float, z: float) -> Iterable[str]:
    return (f"{a} {b} {c}" for a, b, c in itertools.product((-x, x), (-y, y), (-z, z)))


def _ply(x: float, y: float, z: float) -> str:
    head = ["ply", "format ascii 1.0", "element vertex 8", *(f"property float {axis}" for axis in "xyz")]
    head += ["element face 12", "property list uchar int vertex_indices", "end_header"]
    return "\n".join([*head, *_corners(x, y, z), *(f"3 {a} {b} {c}" for a, b, c in _TRIANGLES)]) + "\n"


def _obj(x: float, y: float, z: float) -> str:
    faces = (f"f {a + 1} {b + 1} {c + 1}" for a, b, c in _TRIANGLES)
    return "\n".join([*(f"v {corner}" for corner in _corners(x, y, z)), *faces]) + "\n"


def _link(name: str, mass: float = 0.1, size: Sequence[float] = (0.02, 0.02, 0.02)) -> str:
    box = f'<geometry><box size="{size[0]} {size[1]} {size[2]}"/></geometry>'
    inertia = mass / 100
    return (
        f'<link name="{name}"><inertial><mass value="{mass}"/>'
        f'<inertia ixx="{inertia}" ixy="0" ixz="0" iyy="{inertia}" iyz="0" izz="{inertia}"/></inertial>'
        f"<visual>{box}</visual><collision>{box}</collision></link>"
    )


def _joint(
    name: str,
    parent: str,
    child: str,
    xyz: Sequence[float] = (0, 0, 0),
    rpy: Sequence[float] = (0, 0, 0),
    axis: Sequence[float] | None = None,
    limits: tuple[float, float] = (-2 * math.pi, 2 * math.pi),
) -> str:
    """A revolute joint about an axis, or a fixed one."""
    motion = ""
    if axis is not None:
        motion = (
            f'<axis xyz="{axis[0]} {axis[1]} {axis[2]}"/>'
            f'<limit lower="{limits[0]}" upper="{limits[1]}" effort="100" velocity="10"/>'
        )
    return (
        f'<joint name="{name}" type="{"fixed" if axis is None else "revolute"}"><parent link="{parent}"/>'
        f'<child link="{child}"/><origin xyz="{xyz[0]} {xyz[1]} {xyz[2]}" rpy="{rpy[0]} {rpy[1]} {rpy[2]}"/>'
        f"{motion}</joint>"
    )


def _robot(name: str, parts: Iterable[str]) -> str:
    return "\n".join(['<?xml version="1.0"?>', f'<robot name="{name}">', *parts, "</robot>", ""])


def xarm6() -> str:
    """The arm with its real kinematics, and a four-bar gripper whose bars meet where ManiSkill ties them."""
    half = math.pi / 2
    links = ["link_base", *(f"link{k}" for k in range(1, 7)), "camera_link", "robotiq_arg2f_base_link", "eef"]
    parts = [_link(name) for name in links]
    arm: list[tuple[tuple[float, ...], float, tuple[float, float]]] = [
        ((0, 0, 0.267), 0, (-2 * math.pi, 2 * math.pi)),
        ((0, 0, 0), -half, (-2.059, 2.0944)),
        ((0.0535, -0.2845, 0), 0, (-3.8, 0.19198)),
        ((0.0775, 0.3425, 0), -half, (-2 * math.pi, 2 * math.pi)),
        ((0, 0, 0), half, (-1.693, math.pi)),
        ((0.076, 0.097, 0), -half, (-2 * math.pi, 2 * math.pi)),
    ]
    for k, (xyz, roll, limits) in enumerate(arm):
        parts.append(_joint(f"joint{k + 1}", links[k], links[k + 1], xyz, (roll, 0, 0), (0, 0, 1), limits))
    parts.append(_joint("camera_joint", "link6", "camera_link"))
    parts.append(_joint("gripper_joint", "link6", "robotiq_arg2f_base_link"))
    parts.append(_joint("eef_joint", "robotiq_arg2f_base_link", "eef", (0, 0, 0.15)))
    for side, sign in (("left", 1), ("right", -1)):
        parts += _finger(f"{side}_", sign)
    return _robot("xarm6", parts)


def _finger(side: str, sign: int) -> list[str]:
    links = ("outer_knuckle", "outer_finger", "inner_finger", "inner_finger_pad", "inner_knuckle")
    base, turn, x = "robotiq_arg2f_base_link", (0, 0, 0 if sign > 0 else math.pi), (1, 0, 0)

    def joint(name: str, parent: str, child: str, *more) -> str:
        return _joint(f"{side}{name}_joint", parent, f"{side}{child}", *more)

    return [
        *(_link(side + name, mass=0.02, size=(0.02, 0.005, 0.02)) for name in links),
        joint("outer_knuckle", base, "outer_knuckle", (0, sign * 0.0306, 0.0549), turn, x, (0, 0.81)),
        joint("outer_finger", f"{side}outer_knuckle", "outer_finger", (0, 0.0315, -0.0041)),
        joint("inner_knuckle", base, "inner_knuckle", (0, sign * 0.0127, 0.0693), turn, x, (0, 0.8757)),
        joint("inner_finger", f"{side}outer_finger", "inner_finger", (0, 0.0061, 0.055), (0, 0, 0), x, (-0.8757, 0)),
        joint("inner_finger_pad", f"{side}inner_finger", "inner_finger_pad", (0, -0.022, 0.032)),
    ]


def anymal_c() -> str:
    """A trunk on four legs of three joints each."""
    parts = [_link("base", mass=20, size=(0.8, 0.2, 0.2))]
    legs = [("LF", 1, 1), ("RF", 1, -1), ("LH", -1, 1), ("RH", -1, -1)]
    for leg, front, left in legs:
        parts += [_link(f"{leg}_{part}", mass=1) for part in ("HIP", "THIGH", "KFE", "SHANK", "FOOT")]
        parts += [
            _joint(f"{leg}_HAA", "base", f"{leg}_HIP", (front * 0.3, left * 0.1, 0), axis=(1, 0, 0)),
            _joint(f"{leg}_HFE", f"{leg}_HIP", f"{leg}_THIGH", (front * 0.06, left * 0.08, 0), axis=(0, 1, 0)),
            _joint(f"{leg}_THIGH_KFE", f"{leg}_THIGH", f"{leg}_KFE", (0, left * 0.1, -0.285)),
            _joint(f"{leg}_KFE", f"{leg}_KFE", f"{leg}_SHANK", axis=(0, 1, 0)),
            _joint(f"{leg}_SHANK_FOOT", f"{leg}_SHANK", f"{leg}_FOOT", (front * 0.09, 0, -0.33)),
        ]
    return _robot("anymal", parts)

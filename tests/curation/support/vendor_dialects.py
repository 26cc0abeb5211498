"""How the scanners of seven vendors write the same acquisitions into their headers.

Each function gives the fields in which vendors differ; ranges of times are those of clinical protocols at the field
strength. Sources: the vendors' DICOM conformance statements; dcm2niix's notes on each vendor's dialect; headers of
public data sets.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

Fields = dict[str, Any]


@dataclass(frozen=True)
class Acquisition:
    """One series to be written.

    Args:
        kind: What it truly is: ``t1``, ``t2_fs``, ``localizer``...
        fields: Header fields.
        plane: ``tra``, ``cor``, ``sag`` or ``all`` (a scout of three planes).
        slices: Number of slices; of each plane for a scout.
        parts: Further images of one series UID that differ in these fields (a Dixon measurement, b-values, times).
        is_capture: A secondary capture without geometry.
        visit: Which of the patient's visits it belongs to, from 1.
        step_mm: From slice to slice; None for as much as makes 60 mm of them all.
    """

    kind: str
    fields: Fields
    plane: str = "tra"
    slices: int = 12
    parts: tuple[Fields, ...] = ({},)
    is_capture: bool = False
    visit: int = 1
    step_mm: float | None = None


@dataclass(frozen=True)
class Vendor:
    """One vendor's scanners.

    Args:
        name: For figures.
        scanners: Manufacturer, model and field strength in tesla.
        write: Gives a kind's own header fields.
        describe: Description by kind, a list of which one is drawn.
        has_dixon: Whether Dixon measurements are made.
    """

    name: str
    scanners: tuple[tuple[str, str, float], ...]
    write: Callable[[str, Random, float], Fields]
    descriptions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    has_dixon: bool = True


PLANES = {
    "tra": ("tra", "AX", "ax", "axial", "TRA"),
    "cor": ("cor", "COR", "coronal"),
    "sag": ("sag", "SAG", "sagittal"),
}


def times(kind: str, random: Random, tesla: float) -> Fields:
    """Repetition, echo and inversion time by kind and field strength, in milliseconds."""
    low, high = tesla < 0.6, tesla > 2
    fat_null = (75, 105) if low else (195, 235) if high else (135, 180)
    ranges: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float] | None]] = {
        "t1": ((380, 900) if low else (520, 950) if high else (400, 760), (18, 28) if low else (8, 22), None),
        "t2": ((2600, 4500) if low else (3000, 6500), (80, 120) if low else (62, 110), None),
        "pd": ((2000, 3500), (18, 26) if low else (12, 34), None),
        "stir": ((1200, 3000) if low else (3000, 6000), (24, 60) if low else (30, 75), fat_null),
        "dwi": ((3000, 7000), (55, 85), None),
        "scout": ((7.0, 14.0), (3.0, 5.5), None),
        "scout_se": ((1100, 1600), (75, 95), None),
        "haste": ((1000, 1400), (80, 100), None),
        "vibe": ((3.2, 6.0), (1.2, 2.5), None),
        "tof": ((20, 28), (3.5, 6.0), None),
        "t2star": ((450, 800), (12, 22), None),
    }
    tr, te, ti = ranges[kind]
    found: Fields = {"RepetitionTime": round(random.uniform(*tr), 2), "EchoTime": round(random.uniform(*te), 3)}
    return found | ({"InversionTime": round(random.uniform(*ti))} if ti else {})


_TIMES = {
    "t1": "t1", "t1_gd": "t1", "t1_fs": "t1", "t1_fs_gd": "t1", "t2_fs": "t2", "t2": "t2", "t2_dixon": "t2",
    "pd_fs": "pd", "stir": "stir", "dwi": "dwi", "adc": "dwi", "localizer": "scout", "sub": "t1", "dyn": "vibe",
    "haste": "haste", "tof": "tof", "t2star": "t2star", "mpr": "vibe", "mip": "tof",
}  # fmt: skip
_FAT_SUPPRESSED = {"t1_fs", "t1_fs_gd", "t2_fs", "pd_fs", "dwi", "dyn", "sub"}
_GRADIENT = {"dyn", "tof", "t2star", "mpr", "mip", "localizer"}
_THREE_D = {"dyn", "tof", "mpr", "mip"}


def common(kind: str, random: Random, tesla: float) -> Fields:
    """Attributes that all vendors write alike."""
    fields = times(_TIMES[kind], random, tesla)
    fields["ScanningSequence"] = "GR" if kind in _GRADIENT else "EP" if kind in ("dwi", "adc") else "SE"
    if kind == "stir":
        fields["ScanningSequence"] = "IR"
    fields["MRAcquisitionType"] = "3D" if kind in _THREE_D else "2D"
    fields["EchoTrainLength"] = {"t2_fs": 12, "t2": 14, "pd_fs": 7, "stir": 10, "haste": 128}.get(
        kind, random.choice((1, 3))
    )
    fields["FlipAngle"] = random.choice((12, 15, 25)) if kind in _GRADIENT else random.choice((90, 120, 150, 180))
    if kind in ("t1_gd", "t1_fs_gd", "dyn", "sub") and random.random() < 0.6:
        fields["ContrastBolusAgent"] = random.choice(("Gadovist", "DOTAREM 15ML", "GAD", "Prohance", "8 ml Clariscan"))
    return fields


def plainly_derived(kind: str) -> Fields:
    """The image type of what is computed from other images, without a vendor's own words."""
    word = {"adc": "ADC", "sub": "SUBTRACTION", "mpr": "MPR", "mip": "MIP"}.get(kind)
    return {"ImageType": ["DERIVED", "SECONDARY", word]} if word else {}


def siemens(kind: str, random: Random, tesla: float) -> Fields:
    """Siemens: the sequence's name says much; fat saturation is ``FS``, inversion ``IR``."""
    tail = random.choice((["ND"], ["ND", "NORM"], ["NORM", "DIS2D"], ["DIS2D"]))
    names = {
        "t1": ("*tse2d1_3", "*se2d1", "*tse2d1rr4"), "t2": ("*tse2d1_15", "*tse2d1rr18"),
        "stir": ("*tir2d1rr13", "*tir2d1_11"), "scout": ("*fl2d1", "*fl2d1_ns"), "dwi": ("*ep_b50t", "*ep_b800t"),
        "vibe": ("*fl3d1", "*fl3d1_ns"), "pd": ("*tse2d1_7",), "haste": ("*h2d1_256", "*hr2d1_192"),
        "tof": ("*fl3d1r_tm",), "t2star": ("*fl2d1", "*me2d1r3"),
    }  # fmt: skip
    fields = common(kind, random, tesla) | {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", *tail],
        "SequenceName": random.choice(names[_TIMES[kind]]),
        "SequenceVariant": ["SK", "SP", "OSP"] if kind not in _GRADIENT else ["SP", "OSP"],
        "ScanOptions": ["PFP"] if random.random() < 0.4 else [],
    }
    if kind == "stir":
        fields |= {"ScanningSequence": ["SE", "IR"], "SequenceVariant": ["SK", "SP", "MP", "OSP"]}
        fields["ScanOptions"] = ["IR", *fields["ScanOptions"]]
    if kind in _FAT_SUPPRESSED:
        fields["ScanOptions"] = [*fields["ScanOptions"], random.choice(("FS", "FS", "FS", "SFS"))]
    derived = {
        "adc": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND"], "sub": ["DERIVED", "PRIMARY", "M", "ND", "SUB"],
        "mpr": ["DERIVED", "SECONDARY", "MPR", "CSA MPR", "", "CSAPARALLEL"],
        "mip": ["DERIVED", "SECONDARY", "PROJECTION IMAGE", "MIP"],
        "dwi": ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "ND"],
    }  # fmt: skip
    return fields | ({"ImageType": derived[kind]} if kind in derived else {})


def ge(kind: str, random: Random, tesla: float) -> Fields:
    """GE: a train of ``_GEMS`` options, of which those for the readout direction look like fat saturation."""
    options = (
        ["FAST_GEMS", "EDR_GEMS", "TRF_GEMS", "FILTERED_GEMS"] if kind not in _GRADIENT else ["FAST_GEMS", "SEQ_GEMS"]
    )
    options += random.sample(
        ["NPW", "ACC_GEMS", "FC_FREQ_AX_GEMS", "FC", random.choice(("FSA_GEMS", "FSS_GEMS", "FSL_GEMS"))], 2
    )
    if kind in _FAT_SUPPRESSED:
        options = ["SAT_GEMS", *options, "FS"]
    fields = common(kind, random, tesla) | {
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "SequenceVariant": random.choice(("SK", "NONE")) if kind not in _GRADIENT else ["SS", "SP", "SK"],
        "ProtocolName": random.choice(
            ("THIGH W/WO CONTRAST", "MSK TUMOR W GAD", "Extremity/mass", "MR FEMUR WITH AND WITHOUT")
        ),
    }
    if kind == "localizer" and random.random() < 0.4:
        fields |= times("scout_se", random, tesla) | {"ScanningSequence": "SE", "EchoTrainLength": 120}
    if kind == "stir":
        fields["ScanningSequence"] = ["SE", "IR"]
        options.append("IR_GEMS")
    if kind == "dwi":
        fields["ScanningSequence"] = ["EP", "SE"]
        options.append("EPI_GEMS")
    derived = {
        "adc": ["DERIVED", "PRIMARY", "ADC"], "sub": ["DERIVED", "SECONDARY", "SUBTRACT"],
        "mpr": ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"], "mip": ["DERIVED", "SECONDARY", "PJN", "MIP"],
    }  # fmt: skip
    return fields | {"ScanOptions": options} | ({"ImageType": derived[kind]} if kind in derived else {})


def philips(kind: str, random: Random, tesla: float) -> Fields:
    """Philips: no sequence name; the image type says SE, IR or FFE; SPIR and SPAIR are ``FS``, or not said at all."""
    name = "FFE" if kind in _GRADIENT else "IR" if kind == "stir" else "SE"
    fields = common(kind, random, tesla) | {
        "ImageType": ["ORIGINAL", "PRIMARY", f"M_{name}", "M", name],
        "SequenceVariant": "SK" if kind not in ("t1",) or random.random() < 0.7 else "OTHER",
        "ScanOptions": random.choice(("OTHER", "", "FC")),
        "NumberOfTemporalPositions": 1,
    }
    if kind in _FAT_SUPPRESSED:
        fields["ScanOptions"] = "FS"
    if kind == "t2_fs" and random.random() < 0.3:
        fields |= {"ScanOptions": "OTHER", "_only_described": True}
    if kind == "dwi":
        fields["ScanningSequence"] = "SE"
    derived = {
        "adc": ["DERIVED", "PRIMARY", "ADC", "ADC", "UNSPECIFIED"],
        "sub": ["DERIVED", "SECONDARY", "SUBTRACTION", "M", "SE"],
        "mpr": ["DERIVED", "SECONDARY", "MPR"], "mip": ["DERIVED", "SECONDARY", "PROJECTION IMAGE", "M", "FFE"],
    }  # fmt: skip
    return fields | ({"ImageType": derived[kind]} if kind in derived else {})


def canon(kind: str, random: Random, tesla: float) -> Fields:
    """Toshiba and Canon: clean and short headers."""
    name = {"GR": "FE", "EP": "SEEPI", "IR": "FIR2D", "SE": "FSE2D"}[
        str(common(kind, random, tesla)["ScanningSequence"])
    ]
    fields = common(kind, random, tesla) | {
        "ImageType": ["ORIGINAL", "PRIMARY"] if random.random() < 0.5 else ["ORIGINAL", "PRIMARY", "OTHER"],
        "SequenceName": name if kind not in ("t1", "t1_gd") or random.random() < 0.5 else "SE",
        "SequenceVariant": random.choice(("SK", "NONE", "OSP")),
        "ScanOptions": "FS" if kind in _FAT_SUPPRESSED else random.choice(("", "FC")),
    }
    return fields | plainly_derived(kind)


def hitachi(kind: str, random: Random, tesla: float) -> Fields:
    """Hitachi and Fujifilm: open magnets of low field among them, where fat saturation does not work and STIR does."""
    fields = common(kind, random, tesla) | {
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "SequenceName": {"t1": "SE", "t2": "FSE", "stir": "FIR", "scout": "GE", "pd": "FSE"}.get(_TIMES[kind], ""),
        "SequenceVariant": random.choice(("NONE", "SK", "OSP")),
        "ScanOptions": "FS" if kind in _FAT_SUPPRESSED else random.choice(("", "OTHER", "SP")),
    }
    if kind == "stir" and random.random() < 0.3:
        fields["ScanningSequence"] = "RM"
    return fields | plainly_derived(kind)


def esaote(kind: str, random: Random, tesla: float) -> Fields:
    """Esaote: dedicated magnets of 0.2 to 0.3 T; STIR, with gradient echoes too."""
    fields = common(kind, random, tesla) | {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "SequenceName": {"t1": "SE_26_AU", "t2": "FSE", "stir": random.choice(("STIR", "FSE_STIR"))}.get(
            _TIMES[kind], ""
        ),
    }
    return fields | plainly_derived(kind)


def united_imaging(kind: str, random: Random, tesla: float) -> Fields:
    """United Imaging: names of its own (``fse``, ``gre_quick``, ``wfi``), else like Siemens."""
    names = {
        "t1": "fse", "t2": "fse_mx", "stir": "fse_ir", "scout": "gre_scout", "dwi": "epi_dwi", "vibe": "gre_quick",
    }  # fmt: skip
    fields = common(kind, random, tesla) | {
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "SequenceName": names.get(_TIMES[kind], "fse"),
        "SequenceVariant": ["SK", "SP"] if kind not in _GRADIENT else ["SP"],
        "ScanOptions": ["FS"] if kind in _FAT_SUPPRESSED else [],
    }
    if kind == "stir":
        fields["ScanOptions"] = ["IR"]
    derived = {
        "adc": ["DERIVED", "PRIMARY", "ADC"], "sub": ["DERIVED", "SECONDARY", "SUB"],
        "mpr": ["DERIVED", "SECONDARY", "MPR"], "mip": ["DERIVED", "SECONDARY", "MIP"],
    }  # fmt: skip
    return fields | ({"ImageType": derived[kind]} if kind in derived else {})


_ENGLISH = {
    "t1": ("{p} T1", "T1 {p}", "{p} T1 FSE", "T1W TSE {p}"),
    "t1_gd": ("{p} T1 +C", "{p} T1 POST GAD", "T1 {p} post contrast"),
    "t1_fs": ("{p} T1 FS", "T1 FAT SAT {p}"),
    "t1_fs_gd": ("{p} T1 FS +C", "{p} T1 FS POST", "T1 FATSAT GAD {p}"),
    "t2_fs": ("{p} T2 FS", "{p} T2 FAT SAT", "T2 FATSAT {p}", "{p} T2 FRFSE FS"),
    "t2": ("{p} T2", "T2 {p}", "T2W TSE {p}"),
    "pd_fs": ("{p} PD FS", "PD FATSAT {p}"),
    "stir": ("{p} STIR", "STIR {p}"),
    "dwi": ("{p} DWI", "DWI b50 400 800", "DIFFUSION"),
    "adc": ("ADC", "Apparent Diffusion Coefficient (mm2/s) ADC"),
    "localizer": ("LOC", "3 PLANE LOC", "localizer", "Survey", "scout"),
    "sub": ("SUB", "{p} T1 SUBTRACTION", "SUBTRACTED"),
    "dyn": ("DYNAMIC", "{p} T1 DCE", "PERFUSION"),
    "haste": ("{p} T2 HASTE", "{p} SSFSE"),
    "tof": ("{p} TOF", "MRA"),
    "t2star": ("{p} T2* GRE", "{p} GRE T2*"),
    "mpr": ("MPR {p}", "REFORMATTED {p}"),
    "mip": ("MIP", "MIP {p}"),
    "t2_dixon": ("{p} T2 DIXON",),
    "capture": ("Screen Save", "Key images", ""),
}
"""Descriptions in English; ``{p}`` is the plane."""

_GERMAN = _ENGLISH | {
    "t1": ("t1_tse_{p}", "T1 {p} nativ", "t1_se_{p}_320", "T1 {p}"),
    "t1_gd": ("t1_tse_{p}_KM", "T1 {p} nach KM", "T1 mit KM {p}"),
    "t1_fs": ("t1_tse_fs_{p}", "T1 fettsat {p}"),
    "t1_fs_gd": ("t1_tse_fs_{p}_KM", "T1 fs {p} nach KM", "T1 fettges. {p} Gd"),
    "t2_fs": ("t2_tse_fs_{p}", "T2 {p} fettgesättigt", "t2_tse_fs_{p}_384", "T2 fettsat {p}"),
    "t2": ("t2_tse_{p}", "T2 {p}"),
    "pd_fs": ("pd_tse_fs_{p}", "PD {p} fettsat"),
    "stir": ("t2_tirm_{p}", "TIRM {p}", "STIR {p}"),
    "dwi": ("ep2d_diff_b50_b800_{p}", "ep2d_diff_4scan_trace"),
    "adc": ("ep2d_diff_b50_b800_{p}_ADC",),
    "localizer": ("localizer", "Localizer_3_Ebenen", "Planung"),
    "sub": ("t1_tse_fs_{p}_SUB", "Subtraktion"),
    "dyn": ("t1_vibe_dyn_{p}", "twist_{p}_KM", "Perfusion"),
    "haste": ("t2_haste_{p}",),
}
_FRENCH = _ENGLISH | {
    "t1": ("T1 axiale", "AX T1 TSE", "T1 sans injection", "T1 {p}"),
    "t1_gd": ("T1 gado axiale", "T1 {p} apres injection", "T1 {p} GADO"),
    "t1_fs": ("T1 sat graisse {p}", "T1 fat sat {p}"),
    "t1_fs_gd": ("T1 sat graisse gado", "T1 FS GADO {p}"),
    "t2_fs": ("T2 sat graisse {p}", "T2 FAT SAT axiale", "T2 {p} suppression de graisse"),
    "t2": ("T2 axiale", "T2 {p} sans FS"),
    "pd_fs": ("DP FS {p}", "DP FAT SAT {p}"),
    "localizer": ("reperage", "Localisation", "LOC"),
    "sub": ("soustraction", "SOUS {p}"),
    "dyn": ("T1 dynamique", "perfusion"),
}
_SPANISH = _ENGLISH | {
    "t1": ("T1 {p}", "AX T1 TSE", "T1 sin contraste {p}"),
    "t1_gd": ("T1 {p} con contraste", "T1 {p} poscontraste", "T1 +C {p}"),
    "t1_fs_gd": ("T1 FS {p} con contraste", "T1 supresion grasa GD"),
    "t2_fs": ("T2 {p} saturacion de grasa", "T2 FS {p}", "T2 supresion grasa {p}"),
    "localizer": ("localizador", "LOC"),
    "sub": ("sustraccion",),
}
_DUTCH = _ENGLISH | {
    "t1": ("T1 {p}", "T1 TSE {p}", "T1 {p} blanco"),
    "t1_gd": ("T1 {p} na contrast", "T1 {p} met Gd"),
    "t1_fs_gd": ("T1 FS {p} na contrast", "T1 SPIR Gd {p}"),
    "t2_fs": ("T2 {p} vetsuppressie", "T2 FS {p}", "T2 vetsat {p}"),
    "localizer": ("survey", "Localizer"),
}
LANGUAGES = (_ENGLISH, _ENGLISH, _GERMAN, _FRENCH, _SPANISH, _DUTCH)

_PHILIPS_WORDS = {
    "t1": ("T1W_TSE", "sT1W_TSE {p}", "T1 TSE {p}"),
    "t2_fs": ("T2W_SPAIR", "T2W_TSE_SPIR {p}", "T2 SPAIR {p}"),
    "t1_fs_gd": ("T1W_SPIR_GD", "T1W mDIXON W +C"),
    "stir": ("STIR_longTE", "STIR_TSE {p}"),
    "localizer": ("Survey", "SmartBrain", "Plan_Scan"),
    "dwi": ("DWI_3b", "dDWI_b0_800", "DwiSE"),
    "adc": ("dADC", "ADC map"),
}

VENDORS = (
    Vendor(
        "Siemens",
        (("SIEMENS", "Avanto", 1.5), ("SIEMENS", "Skyra", 3.0), ("Siemens Healthineers", "MAGNETOM Vida", 3.0)),
        siemens,
    ),
    Vendor("GE", (("GE MEDICAL SYSTEMS", "SIGNA HDxt", 1.5), ("GE MEDICAL SYSTEMS", "DISCOVERY MR750w", 3.0)), ge),
    Vendor(
        "Philips", (("Philips Medical Systems", "Achieva", 1.5), ("Philips", "Ingenia", 3.0)), philips, _PHILIPS_WORDS
    ),
    Vendor("Canon", (("TOSHIBA", "MRT200SP5", 1.5), ("CANON_MEC", "Vantage Galan 3T", 3.0)), canon),
    Vendor(
        "Hitachi",
        (("HITACHI", "Oasis", 1.2), ("Hitachi Medical Corporation", "Airis II", 0.3), ("FUJIFILM", "ECHELON", 1.5)),
        hitachi,
    ),
    Vendor("Esaote", (("ESAOTE", "S-Scan", 0.25), ("Esaote", "E-MRI Brio", 0.25)), esaote, has_dixon=False),
    Vendor("United Imaging", (("UIH", "uMR 570", 1.5), ("UIH", "uMR 780", 3.0)), united_imaging),
)

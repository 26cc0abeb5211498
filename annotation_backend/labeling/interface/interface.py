"""The labelling interface as Label Studio's XML, built from a protocol's labels and a project's settings."""

from collections.abc import Collection, Sequence
from html import escape

from django.conf import settings as django_settings

from annotation_backend.labeling.masks.controls import (
    COMPANION,
    EXTREME_LABEL,
    HINT,
    IMAGE,
    SMART_BOX,
    SMART_POINT,
    START_OVER_LABEL,
    UNDO_LABEL,
    MaskFormat,
    box_label,
    extreme_label,
    point_label,
)
from datasets.study.protocol import Label, Protocol

GUIDE_PATH = "/guide/"
"""The annotator's guide, on our service; no sign-in."""

_PROMPT_COLOUR, _EXTREME_COLOUR, _SESSION_COLOUR = "#1971c2", "#7048e8", "#868e96"
_POINT_KEY, _BOX_KEY, _EXTREME_KEY, _UNDO_KEY, _START_OVER_KEY = "2", "3", "4", "5", "6"
_UNKNOWN_COLOUR = "#868e96"
_TAGS = {MaskFormat.BRUSH: "BrushLabels", MaskFormat.BITMASK: "BitmaskLabels"}
_TOOLS = {MaskFormat.BRUSH: "brush-tool", MaskFormat.BITMASK: "bitmask-tool"}

_STYLE = """
    .chair { position: sticky; top: 0; z-index: 5; padding-bottom: 4px; }
    .chair { background: var(--color-neutral-background, #fff); }
    .chair .line { display: flex; gap: 14px; align-items: center; height: 52px; }
    .chair .line > * { flex: none; white-space: nowrap; }
    .chair .line p, .chair .lsf-text-area, .said [data-testid=textarea-regions] { margin: 0 !important; }
    .chair .line .said { flex: 1 1 0; min-width: 0; max-height: 52px; overflow-y: auto; white-space: normal; }
    .said * { font-size: 13px !important; line-height: 17px !important; }
    .said .lsf-row { margin: 0 !important; }
    .said [data-testid=htx-textbox-content] { padding: 5px 10px !important; min-height: 0 !important; }
    .said form, .said button, .said .ant-form { display: none; }
    .chair .controls { display: flex; flex-wrap: wrap; gap: 0 10px; align-items: center; }
    .chair .lsf-labels { margin: 0 !important; }
    .chair .lsf-label { margin: 2px 6px 2px 0 !important; }
    .windows [class*="withPagination--"] { padding-top: 0; }
    .windows [class*="pagination--"] { position: absolute; top: -34px; left: auto; right: 0; width: auto; }
    .windows [class*="arrow-left-double"], .windows [class*="arrow-right-double"] { display: none; }
    [aria-label="rectangle-3-point-tool"] { display: none !important; }"""
"""The hint's line keeps its place while it is empty, so that no picture moves under a person's hand. A box drawn by
three points would be a turned one, which no model takes."""


def label_config(
    mask_format: MaskFormat,
    protocol: Protocol,
    *,
    hidden: Collection[str] = (),
    kept: Collection[str] = (),
    foreign: str = "",
) -> str:
    """The labelling interface, as XML for Label Studio.

    Args:
        mask_format: The tool that annotators draw with.
        protocol: Whose labels they draw.
        hidden: Labels of it that they are not offered.
        kept: Controls and labels that annotations of the project use though they are not offered any more: the other
            format's control, a hidden label, one that the protocol does not have. Label Studio refuses to lose them;
            shown in old annotations only.
        foreign: Controls that are not ours and are kept for the same reason, as `foreign_controls` writes them.
    """
    labels = [label for label in protocol.labels if label.name not in hidden or label.name in kept]
    labels += _unknown(protocol, kept)
    known = {label.name for label in protocol.labels}
    offered = known - set(hidden)
    other = MaskFormat.BITMASK if mask_format is MaskFormat.BRUSH else MaskFormat.BRUSH
    drawing = _mask_control(mask_format, labels, offered=offered)
    style = _STYLE
    if other.value in kept:
        drawing += _mask_control(other, labels, offered=())
        style += f'\n    [aria-label="{_TOOLS[other]}"] {{ display: none !important; }}'
    return f"""<View>
  <Style>{style}
  </Style>
  <View className="chair">
    <View className="line">
      <Header size="5" value="$title" style="margin: 0"/>
      <Markdown><![CDATA[<a href="{guide_url()}" target="_blank" rel="noopener">How to</a> · \
<a href="{comments_url()}" target="_blank" rel="noopener">Comments</a> · \
<a href="{work_url()}">My work</a>]]></Markdown>
      <View className="said">
        <TextArea name="{HINT}" toName="{IMAGE}" editable="false" maxSubmissions="1"/>
      </View>
    </View>
    <View className="controls">{drawing}{_smart_controls(protocol.prompted_labels)}
    </View>
    <Header size="6" value="$review_comment" style="margin: 0; color: #b42318"/>
  </View>
  <View style="display: flex; gap: 8px; width: 100%">
    <View style="flex: 1 1 50%; width: 50%">
      <Header size="6" value="$annotated_sequence"/>
      <Image name="{IMAGE}" value="$annotated" {_IMAGE}/>
    </View>
    <View className="windows" style="flex: 1 1 50%; width: 50%">
      <Header size="6" value="$companion_sequence"/>
      <Image name="{COMPANION}" valueList="$companions" {_IMAGE}/>
      <Header size="6" value="$windows" style="margin: 4px 0; font-size: 13px; font-weight: 400"/>
    </View>
  </View>{foreign}
</View>
"""


def guide_url() -> str:
    """Address of the annotator's guide, for a browser."""
    return escape(f"{django_settings.MASKLOOP_URL}{GUIDE_PATH}")


def comments_url() -> str:
    """Address of the comments on the open task's slice; Label Studio puts its case and slice in.

    It knows no study, which its page finds by the case's code.
    """
    return escape(f"{django_settings.MASKLOOP_URL}/review/$case/comments/#slice-$slice")


def work_url() -> str:
    """Address that leads back to a person's work in the study of the open task's case, where the next slice waits."""
    return escape(f"{django_settings.MASKLOOP_URL}/landing/?case=$case")


def instruction(protocol: Protocol) -> str:
    """The guide in short, as HTML, which Label Studio shows behind its button for instructions."""
    first, prompted = protocol.labels[0], protocol.prompted_label
    brush = f"{_chosen(protocol)}, then draw. To change a mask that is there, click its line under Regions first."
    return f"""<ol>
<li><b>Look</b> at the left picture. A mask that a model drew is there already. Is it right? Press Submit.</li>
<li><b>Brush</b> what is missing: {brush}
Eraser and size are in the tool bar. Press Esc before anything new.</li>{_prompting(prompted) if prompted else ""}
<li><b>Submit</b>. A picture without {(prompted or first).name.lower()}: submit it empty.</li>
<li>A returned task shows the reviewer's comment above the pictures: correct it and press Update.</li>
</ol>
<p><a href="{guide_url()}" target="_blank" rel="noopener">How to, on one page with pictures</a></p>"""


_IMAGE = 'zoom="true" zoomControl="true" brightnessControl="true" contrastControl="true" smoothing="false"'


def _chosen(protocol: Protocol) -> str:
    """How a label to brush with is chosen: the first alone where prompts draw it too, else each by its name."""
    first = protocol.labels[0]
    if first.is_prompted or len(protocol.labels) == 1:
        return f"key {first.key}" if first.key else f"the label {first.name}"
    offered = [one for one in protocol.labels if one.is_offered]
    return ", ".join(f"{escape(one.name)} (key {one.key})" if one.key else escape(one.name) for one in offered)


def _prompting(label: Label) -> str:
    name = label.name.lower()
    return f"""
<li><b>Let a model draw</b>: switch on Auto-Annotation below and click the tool at the end of the tool bar. Then K and 2
for a point: Ctrl+click into the {name}, Ctrl+Alt+click for "not here". Or R and 3 for a box: draw it around the {name}.
Press the keys again before each prompt. The tick takes the mask, the cross refuses it.</li>"""


def _unknown(protocol: Protocol, kept: Collection[str]) -> list[Label]:
    """Labels of annotations that the protocol does not have: Label Studio refuses an interface without them."""
    known = {label.name for label in protocol.labels} | {one.value for one in MaskFormat}
    return [Label(0, name, _UNKNOWN_COLOUR) for name in sorted(set(kept) - known)]


def _mask_control(mask_format: MaskFormat, labels: Sequence[Label], *, offered: Collection[str]) -> str:
    tag = _TAGS[mask_format]
    lines = "".join(
        f"\n        {_label(each.name, each.colour, key=each.key, is_hidden=each.name not in offered)}"
        for each in labels
    )
    return f"""
      <{tag} name="{mask_format.value}" toName="{IMAGE}" smart="false" showInline="true">{lines}
      </{tag}>"""


def _smart_controls(labels: Sequence[Label]) -> str:
    """The prompts by which models draw labels; none where all are drawn by hand. Keys are those of the first label."""
    if not labels:
        return ""
    label, *others = labels
    points = [
        (point_label(label.name), _PROMPT_COLOUR, _POINT_KEY),
        (EXTREME_LABEL, _EXTREME_COLOUR, _EXTREME_KEY),
        (UNDO_LABEL, _SESSION_COLOUR, _UNDO_KEY),
        (START_OVER_LABEL, _SESSION_COLOUR, _START_OVER_KEY),
        *((named(each.name), each.colour, "") for each in others for named in (point_label, extreme_label)),
    ]
    boxes = [(box_label(label.name), _PROMPT_COLOUR, _BOX_KEY)]
    boxes += [(box_label(each.name), each.colour, "") for each in others]
    around = "\n        ".join(_label(name, colour, key=key) for name, colour, key in boxes)
    lines = "".join(f"\n        {_label(name, colour, key=key)}" for name, colour, key in points)
    return f"""
      <KeyPointLabels name="{SMART_POINT}" toName="{IMAGE}" smart="true" smartOnly="true" showInline="true">{lines}
      </KeyPointLabels>
      <RectangleLabels name="{SMART_BOX}" toName="{IMAGE}" smart="true" smartOnly="true" showInline="true">
        {around}
      </RectangleLabels>"""


def _label(name: str, colour: str, *, key: str, is_hidden: bool = False) -> str:
    offered = ' visible="false"' if is_hidden else f' hotkey="{key}"' if key else ""
    return f'<Label value="{escape(name)}" background="{colour}"{offered}/>'

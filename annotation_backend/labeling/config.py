"""The labelling interface: which controls an annotator sees."""

from enum import StrEnum

from datasets.mask import TUMOUR

IMAGE = "image"
COMPANION = "companion"
BRUSH = "brush"
BITMASK = "bitmask"
SMART_POINT = "smart_point"
SMART_BOX = "smart_box"
EXTREME_POINT = SESSION = SMART_POINT
HINT = "hint"

POINT_LABEL = "Tumour point"
BOX_LABEL = "Tumour box"
EXTREME_LABEL = "Extreme point"
UNDO_LABEL = "Undo last prompt"
START_OVER_LABEL = "Start over"
"""All of them on the control of the points: each control would bring a smart point tool of its own, all with the same
picture, and a label does nothing while another control's tool is chosen."""


class MaskFormat(StrEnum):
    """What annotators draw with and predictions are written in; each value is the name of its control.

    Masks of both formats are read always.
    """

    BRUSH = "brush"
    BITMASK = "bitmask"


_COLOUR = "#e8590c"
_PROMPT_COLOUR = "#1971c2"

LABEL_CONFIG = f"""<View>
  <View style="position: sticky; top: 0; z-index: 5; display: flex; gap: 16px; align-items: center">
    <Header size="5" value="$title"/>
    <BrushLabels name="{BRUSH}" toName="{IMAGE}" smart="false" showInline="true">
      <Label value="{TUMOUR}" background="{_COLOUR}" hotkey="1"/>
    </BrushLabels>
    <KeyPointLabels name="{SMART_POINT}" toName="{IMAGE}" smart="true" smartOnly="true" showInline="true">
      <Label value="{POINT_LABEL}" background="{_PROMPT_COLOUR}" hotkey="2"/>
    </KeyPointLabels>
    <RectangleLabels name="{SMART_BOX}" toName="{IMAGE}" smart="true" smartOnly="true" showInline="true">
      <Label value="{BOX_LABEL}" background="{_PROMPT_COLOUR}" hotkey="3"/>
    </RectangleLabels>
  </View>
  <Header size="6" value="$review_comment"/>
  <View style="display: flex; gap: 8px; width: 100%">
    <View style="flex: 1 1 50%; width: 50%">
      <Header size="6" value="$annotated_sequence"/>
      <Image name="{IMAGE}" value="$annotated" zoom="true" zoomControl="true" brightnessControl="true"
             contrastControl="true" smoothing="false"/>
    </View>
    <View style="flex: 1 1 50%; width: 50%">
      <Header size="6" value="$companion_sequence"/>
      <Image name="{COMPANION}" value="$companion" zoom="true" zoomControl="true" brightnessControl="true"
             contrastControl="true" smoothing="false"/>
    </View>
  </View>
</View>
"""

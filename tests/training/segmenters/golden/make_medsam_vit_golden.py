"""Makes `medsam_vit.npz` with segment-anything's own code on a small network; its weights are drawn from a seed.

In the environment of `make_lite_medsam_golden.py`, which also replaces torchvision:

    pip install --no-deps segment-anything==1.0
    pip install scikit-image==0.26.0 scipy==1.15.3
    OMP_NUM_THREADS=1 python make_medsam_vit_golden.py medsam_vit.npz

The preprocessing is that of MedSAM's MedSAM_Inference.py, with the small network's picture size in place of 1024.
"""

import hashlib
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

IMAGE_SIZE = 64
BOXES = ((30, 40, 120, 150), (0, 0, 159, 199), (55.5, 70.25, 60, 90))
"""Left, top, right, bottom in pixels of the slice."""


def drawn_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Weights of every tensor, drawn in the order of their names; large enough that each changes the answer."""
    random = np.random.default_rng(7)
    drawn = {name: 0.3 * random.standard_normal(shapes[name]).astype(np.float32) for name in sorted(shapes)}
    return {name: value + np.float32(".norm" in name and name.endswith("weight")) for name, value in drawn.items()}


def small_sam():
    """A SAM with a plain vision transformer, as segment-anything's build_sam.py builds them, but small."""
    import torch
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    encoder = ImageEncoderViT(
        depth=3,
        embed_dim=32,
        img_size=IMAGE_SIZE,
        mlp_ratio=4,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        num_heads=2,
        patch_size=8,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=[1],
        window_size=3,
        out_chans=32,
    )
    prompts = PromptEncoder(
        embed_dim=32, image_embedding_size=(8, 8), input_image_size=(IMAGE_SIZE, IMAGE_SIZE), mask_in_chans=16
    )
    decoder = MaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=64, num_heads=8),
        transformer_dim=32,
        iou_head_depth=3,
        iou_head_hidden_dim=48,
    )
    return Sam(encoder, prompts, decoder).eval()


def main(destination: Path) -> None:
    """Writes the golden file."""
    from make_lite_medsam_golden import StandIn, synthetic_grey

    sys.meta_path.insert(0, StandIn())
    import torch
    from skimage import transform

    network = small_sam()
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("pixel_")}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    network.load_state_dict({name: torch.from_numpy(value) for name, value in drawn_weights(shapes).items()})
    grey, _ = synthetic_grey(0, (200, 160))
    square = transform.resize(
        np.repeat(grey[:, :, None], 3, axis=-1),
        (IMAGE_SIZE, IMAGE_SIZE),
        order=3,
        preserve_range=True,
        anti_aliasing=True,
    ).astype(np.uint8)
    scaled = (square - square.min()) / np.clip(square.max() - square.min(), a_min=1e-8, a_max=None)
    picture = torch.tensor(scaled).float().permute(2, 0, 1)[None]
    boxes = np.array(BOXES) / np.array([160, 200, 160, 200]) * IMAGE_SIZE
    with torch.inference_mode():
        embedding = network.image_encoder(picture)
        sparse, dense = network.prompt_encoder(points=None, boxes=torch.tensor(boxes).float()[:, None], masks=None)
        logits, quality = network.mask_decoder(
            image_embeddings=embedding,
            image_pe=network.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
    names = sorted(shapes)
    np.savez_compressed(
        destination,
        names=np.array(names),
        shapes=np.array([(shapes[name] + (0,) * 4)[:4] for name in names], dtype=np.int16),
        picture_sha256=np.array(hashlib.sha256(picture[0, 0].numpy().tobytes()).hexdigest()),
        embedding=embedding.numpy(),
        logits=logits[:, 0].numpy(),
        quality=quality[:, 0].numpy(),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

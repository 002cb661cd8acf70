"""dlib's face recogniser (128-D): real packaged weights, which never saw a synthetic head."""

import numpy as np
import torch
from torch import Tensor

from s2f_lib import io
from s2f_lib.faces.detection import Box, aligned, detect
from s2f_lib.faces.models import dlib_model, model_file
from s2f_lib.faces.recogniser import FaceFeatures, FaceRecogniser, check_images, to_pictures

CHIP = 150  # pixels, the input of the network
WORKING_SIZE = 224  # pixels; smaller pictures are enlarged to this before the face is looked for
TYPICAL_BOX = (0.22, 0.30, 0.78, 0.86)  # where the face is in our renders and crops, as a share of the picture


class DlibRecogniser(FaceRecogniser):
    """The ResNet of dlib 19 (King, 2017), trained on 3 million photographs; 99.4 % on Labeled Faces in the Wild.

    Each picture is detected, aligned by five landmarks and described; about 0.1 s a face on one CPU core. Features
    have a length of about 1.4, and two pictures of one person are closer than 0.6 **for real people**; synthetic heads
    are more alike, so calibrate a threshold on them.
    Where no face is detected, the box is taken where faces usually are in a centred crop.
    """

    feature_dim = 128

    def __init__(self):
        path = model_file("dlib_face_recognition_resnet_model_v1.dat")
        super().__init__(name="dlib", image_size=CHIP, checksum=io.sha256(path))
        self.freeze()

    def forward(self, images: Tensor) -> FaceFeatures:
        """(B, 3, H, W) RGB in [0, 1] -> v_f (B, 128), no logits. Runs on the CPU, without gradients."""
        check_images(images)
        if not len(images):
            return FaceFeatures(images.new_zeros(0, self.feature_dim), None)
        chips = []
        for picture in _enlarged(images):
            boxes = detect(picture, upsample=0 if min(picture.shape[:2]) >= 2 * WORKING_SIZE else 1)
            height, width = picture.shape[:2]
            usual = Box(*np.multiply(TYPICAL_BOX, (width, height, width, height)))
            chips.append(aligned(picture, boxes[0] if boxes else usual, CHIP, 0.25))
        features = np.array(dlib_model("recogniser").compute_face_descriptor(chips), dtype=np.float32)
        return FaceFeatures(torch.from_numpy(features.reshape(-1, self.feature_dim)).to(images.device), None)


def _enlarged(images: Tensor) -> list[np.ndarray]:
    """Float batch -> uint8 pictures of at least `WORKING_SIZE` pixels."""
    height, width = images.shape[-2:]
    factor = WORKING_SIZE / min(height, width)
    if factor > 1:
        size = (round(height * factor), round(width * factor))
        images = torch.nn.functional.interpolate(images, size, mode="bilinear", align_corners=False)
    return [*to_pictures(images)]


def load(path: None = None, device: str = "cpu") -> DlibRecogniser:
    """dlib's recogniser with its packaged weights, always on the CPU; `s2f_lib.hub` calls this."""
    return DlibRecogniser()

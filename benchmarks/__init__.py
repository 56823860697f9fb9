"""What Rearguard costs, measured against other programs on captures that everybody can generate again."""
